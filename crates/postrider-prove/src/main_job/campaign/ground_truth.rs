//! What was between claim and record when a fault struck: the excuse for duplicates, and nothing beyond it.

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use postrider_testkit::{FaultEntry, Journals, SinkEntry};
use tokio_postgres::Client;
use uuid::Uuid;

use super::faults::Struck;

/// Notes every attempt to insert a delivery, also one that a conflict skips: before the conflict is found.
pub(super) const NOTE_INSERTS: &str = "
    CREATE TABLE public.prove_inserts (id uuid NOT NULL);
    CREATE FUNCTION public.prove_note_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN INSERT INTO public.prove_inserts VALUES (NEW.id); RETURN NEW; END $$;
    CREATE TRIGGER prove_note_insert BEFORE INSERT ON postrider.webhook_deliveries_open
        FOR EACH ROW EXECUTE FUNCTION public.prove_note_insert()";

pub(super) const INSERTED_TWICE: &str =
    "SELECT count(*) FROM (SELECT FROM public.prove_inserts GROUP BY id HAVING count(*) > 1) twice";

/// A delivery: its endpoint and its event.
pub(super) type Owed = (Uuid, String);

/// The deliveries that are open and leased, to one of `owners` if there are any.
pub(super) async fn leased(client: &Client, owners: Option<&[i64]>) -> anyhow::Result<Vec<Owed>> {
    let sql = "SELECT d.endpoint_id, e.id FROM postrider.webhook_deliveries_open d
               JOIN postrider.webhook_event_ids e ON e.seq = d.event_seq
               WHERE d.lease_owner IS NOT NULL AND ($1::bigint[] IS NULL OR d.lease_owner = ANY ($1))";
    let rows = client.query(sql, &[&owners]).await.context("ask for leases")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The faults as the checker takes them. In flight at each was what was leased then and had arrived at a receiver: a
/// request that nobody had recorded. What was leased and never sent excuses nothing.
pub(super) fn entries(struck: &[Struck], journals: &Journals) -> Vec<FaultEntry> {
    let endpoints: HashMap<&str, Uuid> =
        journals.endpoints.iter().map(|e| (e.token.as_str(), e.endpoint)).collect();
    let mut first: HashMap<(Uuid, &str), u64> = HashMap::new();
    for entry in &journals.sink {
        if let SinkEntry::Recv { token, id, t, .. } = entry
            && let Some(endpoint) = endpoints.get(token.as_str())
        {
            let at = first.entry((*endpoint, id)).or_insert(*t);
            *at = (*at).min(*t);
        }
    }
    let entry = |fault: &Struck| {
        let owed: HashSet<(Uuid, &str)> =
            fault.leased.iter().map(|(endpoint, event)| (*endpoint, event.as_str())).collect();
        let sent = owed.iter().filter(|owed| first.get(*owed).is_some_and(|at| *at <= fault.until));
        FaultEntry {
            fault: fault.kind.to_owned(),
            from: fault.from,
            until: fault.until,
            in_flight: u64::try_from(sent.count()).unwrap_or(u64::MAX),
        }
    };
    struck.iter().map(entry).collect()
}
