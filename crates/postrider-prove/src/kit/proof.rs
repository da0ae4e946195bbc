//! A line of a proof, by its name: the code that measures it, if there is some.

use std::pin::Pin;
use std::time::Instant;

use anyhow::bail;
use serde_json::Value;

use super::ground::{Ground, note};
use super::lines::Lines;

/// A proof at work.
pub(crate) type Proving<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// One line of an issue's "Must show". It may print several lines, whose names begin with its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proof {
    pub(crate) name: &'static str,
    /// `None`: there is no code yet, which fails.
    pub(crate) prove: Option<for<'a> fn(&'a Ground, &'a mut Lines) -> Proving<'a>>,
}

impl Proof {
    /// Measures it. What keeps it from measuring is a failed line, not the end of the run.
    pub(crate) async fn run(&self, ground: &Ground, lines: &mut Lines) {
        let Some(prove) = self.prove else { return lines.not_yet(self.name) };
        let (started, before) = (Instant::now(), lines.len());
        if let Err(error) = prove(ground, lines).await {
            lines.put(false, self.name, format!("{error:#}"), "to be measured", Value::Null);
        } else if lines.len() == before {
            lines.put(false, self.name, "it measured nothing", "to be measured", Value::Null);
        }
        note(format!("{} took {} s", self.name, started.elapsed().as_secs()));
    }
}

/// The proofs of these names, in their own order; all of them when no name is given.
pub(crate) fn choose<'a>(proofs: &'a [Proof], names: &[String]) -> anyhow::Result<Vec<&'a Proof>> {
    for name in names {
        if !proofs.iter().any(|proof| proof.name == name) {
            let known: Vec<&str> = proofs.iter().map(|proof| proof.name).collect();
            bail!("no line is called {name:?}; there are: {}", known.join(", "));
        }
    }
    let wanted = |proof: &&Proof| names.is_empty() || names.iter().any(|name| name == proof.name);
    Ok(proofs.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chosen_by_name_and_unknown_names_are_refused() {
        let proofs = ["a", "b", "c"].map(|name| Proof { name, prove: None });
        let chosen = |names: &[&str]| -> anyhow::Result<String> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Ok(choose(&proofs, &names)?.iter().map(|proof| proof.name).collect())
        };
        assert_eq!(chosen(&[]).unwrap(), "abc");
        assert_eq!(chosen(&["c", "a"]).unwrap(), "ac");
        assert!(chosen(&["d"]).unwrap_err().to_string().contains("a, b, c"));
    }
}
