//! Texts to values. Every failure is noted with its key and origin, and reading goes on with the default.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::ValueKind;
use ipnet::IpNet;
use postrider_core::address::{judge_port, parse_network};

use super::layers::Mistake;
use super::settings::Setting;

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads settings and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    settings: &'a BTreeMap<&'static str, Setting>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        settings: &'a BTreeMap<&'static str, Setting>,
        mistakes: Vec<Mistake>,
    ) -> Self {
        Self { settings, mistakes }
    }

    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Notes that a value is wrong, or does not go together with another.
    pub(crate) fn refuse(&mut self, name: &'static str, reason: impl Into<String>) {
        let origin = self.setting(name).origin.clone();
        self.mistakes.push(Mistake { key: name.to_owned(), origin, reason: reason.into() });
    }

    /// Whether nothing was found wrong with this key yet.
    pub(crate) fn is_sound(&self, name: &str) -> bool {
        self.mistakes.iter().all(|mistake| mistake.key != name)
    }

    /// The text of a value; `None` if there is none.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let setting = self.setting(name);
        if matches!(setting.value.kind, ValueKind::Table(_)) {
            self.refuse(name, "must be a single value, not a table");
            return None;
        }
        Some(setting.text()).filter(|text| !text.is_empty())
    }

    pub(crate) fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A path of a file that must be there.
    pub(crate) fn file(&mut self, name: &'static str) -> Option<PathBuf> {
        let path = self.path(name)?;
        if let Err(error) = std::fs::File::open(&path) {
            self.refuse(name, format!("cannot read {}: {error}", path.display()));
        }
        Some(path)
    }

    pub(crate) fn switch(&mut self, name: &'static str) -> bool {
        self.parsed(name, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        })
        .unwrap_or(false)
    }

    pub(crate) fn count(&mut self, name: &'static str, range: RangeInclusive<usize>) -> usize {
        let (low, high) = (*range.start(), *range.end());
        self.parsed(name, |text| {
            let number: Option<usize> = text.parse().ok();
            number
                .filter(|number| range.contains(number))
                .ok_or(format!("must be a whole number from {low} to {high}"))
        })
        .unwrap_or(low)
    }

    pub(crate) fn span(&mut self, name: &'static str, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = (*range.start(), *range.end());
        self.parsed(name, |text| {
            let span = parse_span(text).ok_or(
                "must be a whole number with its unit: ms, s, m, h or d, such as 30s".to_owned(),
            )?;
            if range.contains(&span) {
                Ok(span)
            } else {
                Err(format!("must be {} to {}", span_text(low), span_text(high)))
            }
        })
        .unwrap_or(low)
    }

    pub(crate) fn size(&mut self, name: &'static str, range: RangeInclusive<u64>) -> usize {
        let (low, high) = (*range.start(), *range.end());
        self.parsed(name, |text| {
            let size = parse_with_unit(text, &SIZES).ok_or(
                "must be a whole number with its unit: B, KiB, MiB or GiB, such as 64MiB"
                    .to_owned(),
            )?;
            if range.contains(&size) {
                Ok(size)
            } else {
                Err(format!("must be {low} to {high} bytes"))
            }
        })
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(usize::try_from(low).unwrap_or(usize::MAX))
    }

    pub(crate) fn networks(&mut self, name: &'static str) -> Vec<IpNet> {
        self.list(name, |text| parse_network(text).map_err(|detail| format!("{text:?} {detail}")))
    }

    pub(crate) fn ports(&mut self, name: &'static str) -> Vec<u16> {
        self.list(name, |text| {
            let port = text.parse().ok().filter(|port| judge_port(*port).is_ok());
            port.ok_or_else(|| format!("{text:?} is no port from 1 to 65535 that is permitted"))
        })
    }

    pub(crate) fn servers(&mut self, name: &'static str) -> Vec<SocketAddr> {
        self.list(name, |text| {
            let address = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
            text.parse::<SocketAddr>()
                .or_else(|_| address())
                .map_err(|_| format!("{text:?} is no address such as 192.0.2.53:53"))
        })
    }

    /// A list: in a file `[…]` or one text, elsewhere one text, its items separated by commas.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
        let mut values = Vec::new();
        for item in items {
            match parse(item) {
                Ok(value) => values.push(value),
                Err(reason) => self.refuse(name, reason),
            }
        }
        values
    }

    /// One value in a syntax of its own; `None` if there is none or it is wrong.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(reason) => {
                let given = if self.setting(name).key.secret {
                    String::new()
                } else {
                    format!(", not {text:?}")
                };
                self.refuse(name, format!("{reason}{given}"));
                None
            }
        }
    }

    fn setting(&self, name: &str) -> &'a Setting {
        self.settings.get(name).expect("every key is in the list of keys; a test loads them all")
    }
}

/// A whole number and a unit of time: `500ms`, `30s`, `5m`, `2h`, `7d`.
pub(crate) fn parse_span(text: &str) -> Option<Duration> {
    parse_with_unit(text, &UNITS).map(Duration::from_millis)
}

/// A span as [`parse_span`] reads it, in its largest whole unit.
pub(crate) fn span_text(span: Duration) -> String {
    let millis = span.as_millis();
    let largest = UNITS
        .iter()
        .rev()
        .find(|(_, unit)| millis >= u128::from(*unit) && millis.is_multiple_of(u128::from(*unit)));
    match largest {
        Some((name, unit)) => format!("{}{name}", millis / u128::from(*unit)),
        None => "0s".to_owned(),
    }
}

fn parse_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
