//! The journals put in order: what was published and whether it committed, what had to be delivered where, what arrived.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::verdict::{Finding, Verdict};
use crate::journal::{
    EndpointEntry, FaultEntry, How, Journals, ObservationEntry, PublisherEntry, SinkEntry,
};
use crate::state::DatabaseState;

/// An event, by tenant and id.
pub(super) type Key<'a> = (&'a str, &'a str);

/// Everything that was said about one event by those who published it.
#[derive(Debug, Default)]
pub(super) struct Published<'a> {
    /// The hashes of `data` in transactions that committed.
    pub(super) committed: HashSet<&'a str>,
    /// The types in transactions that committed.
    pub(super) types: HashSet<&'a str>,
    /// When it was first published, committed or not.
    pub(super) first: u64,
    /// When it was last published in a transaction that committed.
    pub(super) last: u64,
    /// One of its transactions is unknown to the database.
    pub(super) in_doubt: bool,
}

/// One request, with what became of it.
#[derive(Debug)]
pub(super) struct Receipt<'a> {
    pub(super) endpoint: Option<&'a EndpointEntry>,
    pub(super) token: &'a str,
    pub(super) id: &'a str,
    pub(super) body: &'a str,
    pub(super) data: Option<&'a str>,
    pub(super) at: u64,
    /// Status, how much of it left, and when.
    pub(super) answer: Option<(Option<u16>, How, u64)>,
}

impl Receipt<'_> {
    /// When it was answered wholly with a 2xx, if it was.
    pub(super) fn accepted(&self) -> Option<u64> {
        match self.answer {
            Some((Some(200..=299), How::Full, at)) => Some(at),
            _ => None,
        }
    }
}

/// How an event and an endpoint belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// The event must be delivered there.
    Must,
    /// It may: the endpoint changed about that time.
    May,
    /// The endpoint did not subscribe to its type.
    Never,
    /// The endpoint is another tenant's.
    OtherTenant,
}

/// The whole run.
#[derive(Debug)]
pub(super) struct History<'a> {
    pub(super) published: BTreeMap<Key<'a>, Published<'a>>,
    /// The tenants that have published an id, committed or not.
    pub(super) tenants_of: HashMap<&'a str, HashSet<&'a str>>,
    pub(super) endpoints: Vec<&'a EndpointEntry>,
    pub(super) by_uuid: HashMap<Uuid, &'a EndpointEntry>,
    /// In the order of arrival.
    pub(super) receipts: Vec<Receipt<'a>>,
    pub(super) faults: &'a [FaultEntry],
    pub(super) observations: &'a [ObservationEntry],
    /// How many deliveries (replays) there are of an event at an endpoint's token.
    pub(super) replays: HashMap<(Key<'a>, &'a str), usize>,
    transactions: Vec<(&'a str, Fate)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Committed { told: bool },
    RolledBack { told: bool },
    Unknown,
}

impl<'a> History<'a> {
    pub(super) fn build(journals: &'a Journals, state: &'a DatabaseState) -> History<'a> {
        let fates = fates(journals, state);
        let mut published: BTreeMap<Key<'a>, Published<'a>> = BTreeMap::new();
        let mut tenants_of: HashMap<&str, HashSet<&str>> = HashMap::new();
        for entry in &journals.publisher {
            let PublisherEntry::Intent { txn, tenant, id, event_type, body_sha256, t, .. } = entry
            else {
                continue;
            };
            tenants_of.entry(id).or_default().insert(tenant);
            let event = published.entry((tenant, id)).or_default();
            event.first = if event.first == 0 { *t } else { event.first.min(*t) };
            match fates[txn.as_str()] {
                Fate::Committed { .. } => {
                    event.committed.insert(body_sha256);
                    event.types.insert(event_type);
                    event.last = event.last.max(*t);
                }
                Fate::Unknown => event.in_doubt = true,
                Fate::RolledBack { .. } => {}
            }
        }
        let by_uuid: HashMap<_, _> = journals.endpoints.iter().map(|e| (e.endpoint, e)).collect();
        let events: HashMap<i64, Key<'a>> =
            state.events.iter().map(|e| (e.seq, (e.tenant.as_str(), e.id.as_str()))).collect();
        let mut replays: HashMap<(Key<'a>, &str), HashSet<i16>> = HashMap::new();
        for row in &state.deliveries {
            if let (Some(key), Some(endpoint)) =
                (events.get(&row.event_seq), by_uuid.get(&row.endpoint))
            {
                replays.entry((*key, &endpoint.token)).or_default().insert(row.replay);
            }
        }
        let mut transactions: Vec<_> = fates.into_iter().collect();
        transactions.sort_unstable_by_key(|(txn, _)| *txn);
        History {
            published,
            tenants_of,
            endpoints: journals.endpoints.iter().collect(),
            by_uuid,
            receipts: receipts(journals),
            faults: &journals.faults,
            observations: &journals.observations,
            replays: replays.into_iter().map(|(pair, numbers)| (pair, numbers.len())).collect(),
            transactions,
        }
    }

    /// Whether this event must, may or must not be delivered to this endpoint.
    pub(super) fn matching(&self, key: Key<'_>, endpoint: &EndpointEntry) -> Match {
        if key.0 != endpoint.tenant {
            return Match::OtherTenant;
        }
        let Some(event) = self.published.get(&key) else { return Match::Never };
        if !event
            .types
            .iter()
            .any(|t| endpoint.event_types.iter().any(|pattern| subscribes(pattern, t)))
        {
            return Match::Never;
        }
        let changed =
            event.first < endpoint.since || endpoint.until.is_some_and(|until| event.last >= until);
        // Published more than once with several types: whoever was first decides, and the journals do not say who.
        if changed || event.types.len() > 1 { Match::May } else { Match::Must }
    }

    /// The tenants, other than `tenant`, that published this id.
    pub(super) fn published_by_others(&self, id: &str, tenant: &str) -> bool {
        self.tenants_of.get(id).is_some_and(|tenants| !tenants.contains(tenant))
    }

    /// Fills in what there was, and says when it was too little to prove anything.
    pub(super) fn check_that_something_happened(&self, verdict: &mut Verdict) {
        let count = |wanted: fn(Fate) -> bool| {
            self.transactions.iter().filter(|(_, fate)| wanted(*fate)).count() as u64
        };
        let totals = &mut verdict.totals;
        totals.committed = count(|f| matches!(f, Fate::Committed { .. }));
        totals.rolled_back = count(|f| matches!(f, Fate::RolledBack { .. }));
        totals.in_doubt = count(|f| {
            !matches!(f, Fate::Committed { told: true } | Fate::RolledBack { told: true })
        });
        totals.events = self.published.values().filter(|e| !e.committed.is_empty()).count() as u64;
        totals.receipts = self.receipts.len() as u64;
        totals.faults = self.faults.len() as u64;
        totals.in_flight_at_faults = self.faults.iter().map(|f| f.in_flight).sum();
        let (committed, expected) = (totals.committed, totals.expected);
        if committed == 0 {
            verdict.vacuous.push("no transaction committed".to_owned());
        } else if expected == 0 {
            verdict.vacuous.push("no delivery was expected".to_owned());
        }
        for (txn, fate) in &self.transactions {
            if *fate == Fate::Unknown {
                verdict.vacuous.push(format!("whether transaction {txn} committed is unknown"));
            }
        }
    }
}

impl Finding {
    pub(super) fn new(key: Key<'_>, token: Option<&str>, detail: impl Into<String>) -> Finding {
        let (tenant, event) = key;
        Finding {
            tenant: tenant.to_owned(),
            event: event.to_owned(),
            token: token.map(str::to_owned),
            detail: detail.into(),
        }
    }
}

/// What became of each transaction: what its publisher was told, else what the database says.
fn fates<'a>(journals: &'a Journals, state: &DatabaseState) -> HashMap<&'a str, Fate> {
    let mut fates: HashMap<&str, Option<Fate>> = HashMap::new();
    for entry in &journals.publisher {
        let (txn, told) = match entry {
            PublisherEntry::Intent { txn, .. } => (txn, None),
            PublisherEntry::Ok { txn, .. } => (txn, Some(Fate::Committed { told: true })),
            PublisherEntry::Abort { txn, .. } => (txn, Some(Fate::RolledBack { told: true })),
        };
        let fate = fates.entry(txn).or_default();
        *fate = told.or(*fate);
    }
    let resolved = |(txn, told): (&'a str, Option<Fate>)| {
        let fate = told.unwrap_or_else(|| {
            match (state.committed.contains(txn), state.unknown.contains(txn)) {
                (true, _) => Fate::Committed { told: false },
                (false, true) => Fate::Unknown,
                (false, false) => Fate::RolledBack { told: false },
            }
        });
        (txn, fate)
    };
    fates.into_iter().map(resolved).collect()
}

fn receipts(journals: &Journals) -> Vec<Receipt<'_>> {
    let by_token: HashMap<&str, &EndpointEntry> =
        journals.endpoints.iter().map(|e| (e.token.as_str(), e)).collect();
    let mut answers = HashMap::new();
    for entry in &journals.sink {
        if let SinkEntry::Resp { sequence, status, how, t } = entry {
            answers.insert(*sequence, (*status, *how, *t));
        }
    }
    let mut receipts = Vec::new();
    for entry in &journals.sink {
        if let SinkEntry::Recv { sequence, token, id, body_sha256, data_sha256, t, .. } = entry {
            let endpoint = by_token.get(token.as_str()).copied();
            let answer = answers.get(sequence).copied();
            receipts.push(Receipt {
                endpoint,
                token,
                id,
                body: body_sha256,
                data: data_sha256.as_deref(),
                at: *t,
                answer,
            });
        }
    }
    receipts.sort_by_key(|r| r.at);
    receipts
}

/// Whether a subscription's pattern covers a type. Written anew here: a checker must not share the daemon's mistakes.
fn subscribes(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(prefix) => event_type.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
        None => pattern == "*" || pattern == event_type,
    }
}
