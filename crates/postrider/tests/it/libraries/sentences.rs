//! The sentences, each proved for every library.

use std::time::Duration;

use postrider::{BestEffort, EMAIL_RECEIVED, Event, Outbox, PublishError, Published};

use super::Library;
use crate::agreement::{ROWS, inputs, rows};
use crate::best_effort::Listener;
use crate::stage::{STORE_MESSAGE, Stage, event, event_with};

const LOCK_TIMEOUT: &str = "SELECT current_setting('lock_timeout') AS text";

pub(super) async fn it_writes_the_same_rows_as_tokio_postgres<L: Library>() {
    let stage = Stage::new().await;
    let (mut client, mut library) = (stage.client().await, L::connect(stage.db.url()).await);
    client.batch_execute("SET jit = off; SET max_parallel_workers_per_gather = 0").await.unwrap();
    let prepared = client.prepare(ROWS).await.unwrap();
    let question = format!("SELECT ({ROWS}) AS text");
    // A fifth of them: every library has a run of its own.
    for input in inputs().into_iter().step_by(5) {
        let event = input.event();
        let tx = client.transaction().await.unwrap();
        let _ = postrider::publish_tx(&tx, &event).await.unwrap();
        let expected = rows(&tx, &prepared).await;
        tx.rollback().await.unwrap();

        for way in 0..3 {
            library.begin().await;
            assert!(library.execute("SET LOCAL jit = off").await);
            let published = match way {
                0 => library.publish(&event).await.unwrap(),
                1 => library.publish_many(std::slice::from_ref(&event)).await.unwrap()[0],
                _ => done(library.best_effort(&event).await),
            };
            assert_eq!(published, Published::Inserted, "{event:?}");
            assert_eq!(library.text(&question).await, expected, "{event:?}");
            library.rollback().await;
        }
    }
}

pub(super) async fn commit_publishes_and_rollback_publishes_nothing<L: Library>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    for commits in [false, true] {
        library.begin().await;
        assert!(library.execute(STORE_MESSAGE).await);
        assert_eq!(library.publish(&event("e1")).await.unwrap(), Published::Inserted);
        let batch = [event("e2"), event("e3")];
        assert_eq!(library.publish_many(&batch).await.unwrap(), [Published::Inserted; 2]);
        assert_eq!(done(library.best_effort(&event("e4")).await), Published::Inserted);
        assert_eq!(stage.events().await, 0, "nobody sees them before the commit");
        if commits {
            library.commit().await
        } else {
            library.rollback().await
        }
        let expected = if commits { (1, 4) } else { (0, 0) };
        assert_eq!((stage.messages().await, stage.events().await), expected);
    }
}

pub(super) async fn a_second_publish_is_a_duplicate_or_a_conflict<L: Library>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    library.begin().await;
    assert_eq!(library.publish(&event("e1")).await.unwrap(), Published::Inserted);
    library.commit().await;
    library.begin().await;
    for (data, expected) in [("{}", Published::Duplicate), ("{ }", Published::Conflict)] {
        let event = event_with("e1", data);
        assert_eq!(library.publish(&event).await.unwrap(), expected);
        assert_eq!(library.publish_many(std::slice::from_ref(&event)).await.unwrap(), [expected]);
        assert_eq!(done(library.best_effort(&event).await), expected);
    }
    library.commit().await;
    assert_eq!(stage.events().await, 1);
}

pub(super) async fn a_batch_is_answered_in_its_order<L: Library>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    let full = Event::new(EMAIL_RECEIVED, "t")
        .id("b")
        .labels(["say \"hi\"", "NULL"])
        .attribute("n", 1)
        .ordering_key("o")
        .expires_after(Duration::from_secs(60))
        .data_text(r#"{"a":"\\,{}"}"#);
    let batch = [full.clone(), event("a"), event_with("a", "1"), full, event("c")];
    library.begin().await;
    let answers = library.publish_many(&batch).await.unwrap();
    use Published::{Conflict, Duplicate, Inserted};
    assert_eq!(answers, [Inserted, Inserted, Conflict, Duplicate, Inserted]);
    assert_eq!(library.publish_many(&[]).await.unwrap(), []);
    library.commit().await;
    assert_eq!(stage.events().await, 3);
}

pub(super) async fn in_strict_mode_a_conflict_is_an_error_and_the_transaction_goes_on<
    L: Library,
>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    let outbox = Outbox::new().strict();
    library.begin().await;
    assert_eq!(library.publish_by(&outbox, &event("e1")).await.unwrap(), Published::Inserted);
    let other = event_with("e1", "2");
    let refused = |error| matches!(error, PublishError::Conflict { tenant, id } if tenant == "t" && id == "e1");
    assert!(refused(library.publish_by(&outbox, &other).await.unwrap_err()));
    let batch = std::slice::from_ref(&other);
    assert!(refused(library.publish_many_by(&outbox, batch).await.unwrap_err()));
    assert_eq!(done(library.best_effort_by(&outbox, &other).await), Published::Conflict);
    library.commit().await;
    assert_eq!(stage.events().await, 1);
}

pub(super) async fn what_is_switched_off_runs_no_sql<L: Library>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    let outbox = Outbox::new().switched_off();
    library.begin().await;
    abort(&mut library).await;
    assert_eq!(library.publish_by(&outbox, &event("e1")).await.unwrap(), Published::Disabled);
    let batch = [event("e1"), event("e2")];
    let answers = library.publish_many_by(&outbox, &batch).await.unwrap();
    assert_eq!(answers, [Published::Disabled; 2]);
    assert_eq!(done(library.best_effort_by(&outbox, &event("e1")).await), Published::Disabled);
}

/// In an aborted transaction PostgreSQL refuses all SQL but its end, so a better answer was found without any.
async fn abort<L: Library>(library: &mut L) {
    assert!(!library.execute("SELECT 1 / 0").await);
}

pub(super) async fn an_invalid_event_is_refused_before_any_sql<L: Library>() {
    let stage = Stage::new().await;
    let mut library = L::connect(stage.db.url()).await;
    let invalid = Event::new(EMAIL_RECEIVED, "a tenant").data_text("{}");
    let code = |error: PublishError| match error {
        PublishError::Invalid(fault) => (fault.field.to_string(), fault.code),
        other => panic!("{other:?}"),
    };
    library.begin().await;
    abort(&mut library).await;
    let error = library.publish(&invalid).await.unwrap_err();
    assert_eq!(code(error), ("tenant".into(), "tenant.syntax"));
    let error = library.publish_many(&[event("e1"), invalid.clone()]).await.unwrap_err();
    assert_eq!(code(error), ("events[1].tenant".into(), "tenant.syntax"));
    match library.best_effort(&invalid).await {
        BestEffort::Failed(error) => assert_eq!(code(error), ("tenant".into(), "tenant.syntax")),
        BestEffort::Done(published) => panic!("{published:?}"),
    }
}

pub(super) async fn a_payload_is_held_to_the_catalog_where_the_outbox_asks_for_it<L: Library>() {
    let stage = Stage::new().await;
    let sql = "INSERT INTO postrider.webhook_event_types (name, schema, schema_check)
               VALUES ('email.sent', '{\"type\":\"object\",\"required\":[\"user\"]}', 'enforce')";
    stage.observer.batch_execute(sql).await.unwrap();
    let mut library = L::connect(stage.db.url()).await;
    let outbox = Outbox::new().check_schemas();
    let field = |error: PublishError| match error {
        PublishError::Invalid(fault) => (fault.field.to_string(), fault.code),
        other => panic!("{other:?}"),
    };
    let good = event_with("good", r#"{"user":1}"#);
    library.begin().await;
    // Twice: the second time the schema is known here.
    for _ in 0..2 {
        let refused = library.publish_by(&outbox, &event("bad")).await.unwrap_err();
        assert_eq!(field(refused), ("data/user".into(), "payload.schema"));
        let batch = [good.clone(), event("bad")];
        let refused = library.publish_many_by(&outbox, &batch).await.unwrap_err();
        assert_eq!(field(refused), ("events[1].data/user".into(), "payload.schema"));
        match library.best_effort_by(&outbox, &event("bad")).await {
            BestEffort::Failed(error) => assert_eq!(field(error).1, "payload.schema"),
            BestEffort::Done(published) => panic!("{published:?}"),
        }
    }
    assert_eq!(library.publish_by(&outbox, &good).await.unwrap(), Published::Inserted);
    assert_eq!(done(library.best_effort_by(&outbox, &good).await), Published::Duplicate);
    let many = library.publish_many_by(&outbox, &[good]).await.unwrap();
    assert_eq!(many, [Published::Duplicate]);
    library.commit().await;
    assert_eq!(stage.events().await, 1);
}

/// Publishes `event` by best effort between two statements of the caller's, commits, and returns why it failed.
async fn failure_of<L: Library>(stage: &Stage, outbox: &Outbox, event: &Event) -> PublishError {
    let mut library = L::connect(stage.db.url()).await;
    library.begin().await;
    assert!(library.execute("SET LOCAL lock_timeout = '7s'").await);
    assert!(library.execute(STORE_MESSAGE).await);
    let answer = library.best_effort_by(outbox, event).await;
    assert_eq!(library.text(LOCK_TIMEOUT).await, "7s", "the caller's setting is back");
    assert!(library.execute("INSERT INTO public.messages (id) VALUES ('m2')").await);
    library.commit().await;
    assert_eq!(stage.messages().await, 2, "the caller's rows are committed");
    match answer {
        BestEffort::Failed(failure) => failure,
        BestEffort::Done(published) => panic!("{published:?}"),
    }
}

pub(super) async fn a_twin_held_uncommitted_costs_best_effort_no_row<L: Library>() {
    let stage = Stage::new().await;
    let mut other = stage.client().await;
    let twin = other.transaction().await.unwrap();
    let _ = postrider::publish_tx(&twin, &event("e1")).await.unwrap();
    let outbox = Outbox::new().record_failures(stage.pool(1));
    let failure = failure_of::<L>(&stage, &outbox, &event("e1")).await;
    assert_eq!(failure.sqlstate().map(|state| state.code()), Some("55P03"));
    assert!(failure.is_retryable());
    assert_eq!(stage.failures().await[0].3, "55P03 canceling statement due to lock timeout");
    assert_eq!(outbox.failed_best_efforts(), 1);
    twin.commit().await.unwrap();
    assert_eq!(stage.events().await, 1);
}

pub(super) async fn a_missing_table_costs_best_effort_no_row<L: Library>() {
    let stage = Stage::new().await;
    let away = "ALTER TABLE postrider.webhook_events_pending RENAME TO elsewhere";
    stage.observer.batch_execute(away).await.unwrap();
    let outbox = Outbox::new().record_failures(stage.pool(1));
    let failure = failure_of::<L>(&stage, &outbox, &event("e1")).await;
    assert!(matches!(failure, PublishError::Database { .. }) && !failure.is_retryable());
    let reason = &stage.failures().await[0].3;
    let said = "relation \"postrider.webhook_events_pending\" does not exist";
    assert!(reason.ends_with(said), "{reason}");
    assert_eq!(stage.count("postrider.webhook_event_ids").await, 0, "nothing of the event is left");
}

pub(super) async fn best_effort_never_notifies<L: Library>() {
    let stage = Stage::new().await;
    // A session that holds the wake-up lock stands for a worker that sleeps: publishers have to ring.
    let sleep = "SELECT pg_advisory_lock(1886352244, 1)";
    stage.observer.batch_execute(sleep).await.unwrap();
    let mut library = L::connect(stage.db.url()).await;
    for (id, expected) in [("strict", 1), ("many", 1), ("best", 0)] {
        let listener = Listener::start(&stage).await;
        library.begin().await;
        let published = match id {
            "strict" => library.publish(&event(id)).await.unwrap(),
            "many" => library.publish_many(&[event(id)]).await.unwrap()[0],
            _ => done(library.best_effort(&event(id)).await),
        };
        assert_eq!(published, Published::Inserted);
        library.commit().await;
        assert_eq!(listener.notifications().await, expected, "{id}");
    }
}

pub(super) async fn an_id_committed_since_the_snapshot_is_retryable<L: Library>() {
    let stage = Stage::new().await;
    let mut other = stage.client().await;
    let mut library = L::connect(stage.db.url()).await;
    library.begin().await;
    assert!(library.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await);
    assert!(library.execute("SELECT 1 FROM public.messages").await);
    let twin = other.transaction().await.unwrap();
    let _ = postrider::publish_tx(&twin, &event("e1")).await.unwrap();
    twin.commit().await.unwrap();
    let error = library.publish(&event("e1")).await.unwrap_err();
    assert_eq!(error.sqlstate().map(|state| state.code()), Some("40001"));
    assert!(error.is_retryable());
    library.rollback().await;
    library.begin().await;
    assert_eq!(library.publish(&event("e1")).await.unwrap(), Published::Duplicate);
    library.rollback().await;
}

pub(super) async fn a_deadlock_and_a_lock_time_out_are_retryable<L: Library>() {
    let stage = Stage::new().await;
    let mut other = stage.client().await;
    let mut library = L::connect(stage.db.url()).await;
    // Of two that wait for each other, the one that looks first is failed.
    for (setting, expected) in [("deadlock_timeout", "40P01"), ("lock_timeout", "55P03")] {
        let [ours, theirs] = ["ours", "theirs"].map(|name| event(&format!("{name}-{expected}")));
        library.begin().await;
        assert!(library.execute(&format!("SET LOCAL {setting} = '10ms'")).await);
        let twin = other.transaction().await.unwrap();
        assert_eq!(library.publish(&ours).await.unwrap(), Published::Inserted);
        let _ = postrider::publish_tx(&twin, &theirs).await.unwrap();
        let failing = async {
            let failed = library.publish(&theirs).await.unwrap_err();
            library.rollback().await;
            failed
        };
        let (error, published) = tokio::join!(failing, postrider::publish_tx(&twin, &ours));
        assert_eq!(published.unwrap(), Published::Inserted);
        assert_eq!(error.sqlstate().map(|state| state.code()), Some(expected));
        assert!(error.is_retryable());
        twin.rollback().await.unwrap();
    }
}

fn done(answer: BestEffort) -> Published {
    match answer {
        BestEffort::Done(published) => published,
        BestEffort::Failed(failure) => panic!("{failure:?}"),
    }
}
