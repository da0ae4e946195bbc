//! Histories with a fault planted into them: a checker that accepts one proves nothing.

use anyhow::Context as _;
use postrider_testkit::{DatabaseState, How, Journals, SinkEntry, check, monotonic_ns};

/// A planted history: its name, and the rules that the checker found broken.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) broken: Vec<&'static str>,
    pub(crate) found: bool,
}

/// Takes a run that was judged clean, and plants into copies of it a lost delivery, a doubled one, and a request to
/// another tenant.
pub(crate) fn plant(journals: &Journals, state: &DatabaseState) -> anyhow::Result<Vec<Planted>> {
    let (lost_journals, lost_state) = lost(journals, state)?;
    let doubled = doubled(journals)?;
    let mut row_doubled = state.clone();
    let row = row_doubled.deliveries.first().context("a delivery to double")?.clone();
    row_doubled.deliveries.push(row);
    let other_tenant = other_tenant(journals)?;
    Ok(vec![
        judge("lost", &["lost"], &lost_journals, &lost_state),
        judge("doubled", &["unexcused_duplicates"], &doubled, state),
        judge("row-doubled", &["double_rows"], journals, &row_doubled),
        judge("other-tenant", &["cross_tenant"], &other_tenant, state),
    ])
}

fn judge(
    name: &'static str,
    expected: &[&str],
    journals: &Journals,
    state: &DatabaseState,
) -> Planted {
    let verdict = check(journals, state);
    let broken = verdict.broken();
    let found = !verdict.is_clean() && expected.iter().all(|rule| broken.contains(rule));
    Planted { name, broken, found }
}

/// A committed event's delivery, gone from the rows and from the wire.
fn lost(journals: &Journals, state: &DatabaseState) -> anyhow::Result<(Journals, DatabaseState)> {
    let (mut journals, mut state) = (journals.clone(), state.clone());
    let row = state.deliveries.pop().context("a delivery to lose")?;
    let event = state.events.iter().find(|e| e.seq == row.event_seq).context("its event")?;
    let endpoint = journals.endpoints.iter().find(|e| e.endpoint == row.endpoint);
    let token = endpoint.context("its endpoint")?.token.clone();
    let id = event.id.clone();
    journals.sink.retain(|entry| {
        !matches!(entry, SinkEntry::Recv { token: t, id: i, .. } if *t == token && *i == id)
    });
    Ok((journals, state))
}

/// A request that was accepted, sent again long after every fault.
fn doubled(journals: &Journals) -> anyhow::Result<Journals> {
    let mut journals = journals.clone();
    let answered = |sequence: u64| {
        journals.sink.iter().any(|entry| {
            matches!(entry, SinkEntry::Resp { sequence: s, status: Some(200), how: How::Full, .. } if *s == sequence)
        })
    };
    let again = journals.sink.iter().rev().find_map(|entry| match entry {
        SinkEntry::Recv { sequence, .. } if answered(*sequence) => Some(entry.clone()),
        _ => None,
    });
    let again = moved(again.context("a request to repeat")?, None);
    journals.sink.push(again);
    Ok(journals)
}

/// A request that arrives at an endpoint of another tenant.
fn other_tenant(journals: &Journals) -> anyhow::Result<Journals> {
    let mut journals = journals.clone();
    let entry = journals.sink.iter().find(|entry| matches!(entry, SinkEntry::Recv { .. }));
    let entry = entry.context("a request to misdirect")?.clone();
    let SinkEntry::Recv { token, .. } = &entry else { unreachable!("it was looked for") };
    let tenant_of = |token: &str| {
        journals.endpoints.iter().find(|e| e.token == token).map(|e| e.tenant.clone())
    };
    let tenant = tenant_of(token);
    let stranger = journals.endpoints.iter().find(|e| Some(&e.tenant) != tenant.as_ref());
    let stranger = stranger.context("another tenant")?.token.clone();
    journals.sink.push(moved(entry, Some(stranger)));
    Ok(journals)
}

/// The same request, now, perhaps at another endpoint.
fn moved(mut entry: SinkEntry, to: Option<String>) -> SinkEntry {
    if let SinkEntry::Recv { sequence, token, t, .. } = &mut entry {
        *sequence = u64::MAX;
        *t = monotonic_ns();
        if let Some(to) = to {
            *token = to;
        }
    }
    entry
}
