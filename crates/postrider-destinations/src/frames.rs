//! What an HTTP/2 receiver may send besides bodies.
//!
//! Flow control bounds the bodies of one connection, and nothing bounds interim answers, PING, SETTINGS and what else has no window.
//! [`crate::stream`] shows every byte of a connection to a [`Allowance`], which knows only where frames begin: each that arrives
//! takes from it, each request that leaves adds to it.

/// What may arrive for one request: 64 KiB of head, and three times as much for everything else.
const FOR_A_REQUEST: usize = 256 * 1024;
/// What may have been saved up by requests that needed less.
const MOST: usize = 16 * FOR_A_REQUEST;
/// What a frame costs us beside its length: an interim answer of 14 bytes is a map of headers in memory.
const FRAME: usize = 128;
/// A piece of a body is counted by who reads it, see [`crate::response`]; here an empty one must not be for nothing.
const DATA_FRAME: usize = 16;

/// The client's first words come before its first frame.
const PREFACE: usize = 24;
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// What may still arrive over a connection.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: usize,
    arriving: Frames,
    leaving: Frames,
}

impl Allowance {
    /// For a connection of which no byte was seen.
    pub(crate) fn new() -> Self {
        Self { left: FOR_A_REQUEST, arriving: Frames::after(0), leaving: Frames::after(PREFACE) }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// These bytes arrived.
    pub(crate) fn arrived(&mut self, bytes: &[u8]) {
        let left = &mut self.left;
        self.arriving.read(bytes, |kind, length| {
            let cost = if kind == DATA { DATA_FRAME } else { FRAME + length };
            *left = left.saturating_sub(cost);
        });
    }

    /// These bytes left.
    pub(crate) fn left(&mut self, bytes: &[u8]) {
        let left = &mut self.left;
        self.leaving.read(bytes, |kind, _| {
            if kind == HEADERS {
                *left = (*left + FOR_A_REQUEST).min(MOST);
            }
        });
    }
}

/// Finds where frames begin in bytes that come in pieces.
#[derive(Debug)]
struct Frames {
    /// Bytes until the next frame's header.
    skip: usize,
    header: [u8; HEADER],
    /// How much of the header was seen.
    seen: usize,
}

impl Frames {
    fn after(skip: usize) -> Self {
        Self { skip, header: [0; HEADER], seen: 0 }
    }

    /// Calls back with the kind and the length of each frame whose header ends in these bytes.
    fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(u8, usize)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let part = bytes.len().min(HEADER - self.seen);
            self.header[self.seen..self.seen + part].copy_from_slice(&bytes[..part]);
            self.seen += part;
            bytes = &bytes[part..];
            if self.seen == HEADER {
                let [high, middle, low, kind, ..] = self.header;
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                (self.seen, self.skip) = (0, length);
                found(kind, length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn frames_are_found_however_their_bytes_come_in() {
        let bytes =
            [frame(4, b""), frame(0, &[1; 300]), frame(1, b"\x88"), frame(6, &[1; 8])].concat();
        for piece in [1, 2, 7, 9, 10, 100, bytes.len()] {
            let (mut frames, mut found) = (Frames::after(0), Vec::new());
            for bytes in bytes.chunks(piece) {
                frames.read(bytes, |kind, length| found.push((kind, length)));
            }
            assert_eq!(found, [(4, 0), (0, 300), (1, 1), (6, 8)], "{piece}");
        }
    }

    #[test]
    fn frames_spend_it_and_requests_renew_it_up_to_a_bound() {
        let mut allowance = Allowance::new();
        let ping = frame(6, &[0; 8]);
        let mut pings = 0;
        while !allowance.is_spent() {
            allowance.arrived(&ping);
            pings += 1;
        }
        assert_eq!(pings, FOR_A_REQUEST.div_ceil(FRAME + 8));

        allowance.left(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        for ours in [frame(4, b""), frame(6, &[0; 8]), frame(8, &[0; 4]), frame(0, &[1; 9000])] {
            allowance.left(&ours);
            assert!(allowance.is_spent(), "only a request renews it");
        }
        for _ in 0..100 {
            allowance.left(&frame(1, b"request"));
        }
        assert_eq!(allowance.left, MOST);
        // Bodies are counted elsewhere.
        allowance.arrived(&frame(0, &[1; 16_384]));
        assert_eq!(allowance.left, MOST - DATA_FRAME);
    }
}
