//! A list, page by page.

use std::collections::VecDeque;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::request::Request;
use crate::{Client, Error};

/// The items of a list. Pages are asked for as they are needed.
#[derive(Debug)]
pub struct Pages<T> {
    client: Client,
    request: Request,
    ready: VecDeque<T>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    From(String),
    None,
}

#[derive(Debug, Deserialize)]
struct Page<T> {
    data: VecDeque<T>,
    next_cursor: Option<String>,
}

impl<T: DeserializeOwned> Pages<T> {
    pub(crate) fn new(client: &Client, request: Request) -> Self {
        Self { client: client.clone(), request, ready: VecDeque::new(), next: Next::First }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// As any call. The same page can be asked for again then.
    pub async fn next(&mut self) -> Result<Option<T>, Error> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let target = match &self.next {
                Next::First => self.request.target(None),
                Next::From(cursor) => self.request.target(Some(cursor)),
                Next::None => return Ok(None),
            };
            let method = self.request.method.clone();
            let page: Page<T> = self.client.send(method, &target, None, None).await?.json()?;
            self.ready = page.data;
            self.next = page.next_cursor.map_or(Next::None, Next::From);
        }
    }

    /// All items there are.
    ///
    /// # Errors
    /// As [`next`](Pages::next).
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(item) = self.next().await? {
            items.push(item);
        }
        Ok(items)
    }
}
