//! What every proof stands on: the ground it runs on, the lines it prints, and the processes it starts.

mod cpu;
mod crowd;
mod dice;
mod evidence;
mod ground;
mod installation;
mod lab;
mod lines;
mod listener;
mod page;
mod process;
mod proof;
mod server;
mod sink;
mod talk;
mod worker;

pub(crate) use cpu::{cpu_of, server_cpu};
pub(crate) use crowd::{Crowd, CrowdAddresses, CrowdTally, Load, Manner, Offered, manner, place};
pub(crate) use dice::Dice;
pub(crate) use evidence::Evidence;
pub(crate) use ground::{Ground, note};
pub(crate) use installation::{Installation, Ran, exit_text, run};
pub(crate) use lab::{Lab, LabReady, LabSeen};
pub(crate) use lines::Lines;
pub(crate) use listener::Listener;
pub(crate) use page::page;
pub(crate) use process::{free_port, signal};
pub(crate) use proof::{Proof, choose};
pub(crate) use server::Server;
pub(crate) use sink::{Listening, Sink, SinkState};
pub(crate) use talk::{Talk, answer};
pub(crate) use worker::Worker;
