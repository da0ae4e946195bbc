use postrider::{
    BestEffort, EMAIL_RECEIVED, EMAIL_SENT, Event, Outbox, Published, publish_many_tx, publish_tx,
};

use crate::stage::{STORE_MESSAGE, Stage, event};

#[tokio::test]
async fn a_closed_switch_disables_publishing_and_the_callers_row_commits() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let other_tenant = Event::new(EMAIL_SENT, "u").data_text("{}");
    let other_type = Event::new(EMAIL_RECEIVED, "t").data_text("{}");
    let cases = [
        ("installation", "", [true, true, true]),
        ("tenant", "t", [true, false, true]),
        ("type", "email.sent", [true, true, false]),
    ];
    for (scope, name, disabled) in cases {
        let close = "INSERT INTO postrider.webhook_switches (scope, name) VALUES ($1, $2)";
        stage.observer.execute(close, &[&scope, &name]).await.unwrap();
        let tx = client.transaction().await.unwrap();
        tx.batch_execute("DELETE FROM public.messages").await.unwrap();
        tx.batch_execute(STORE_MESSAGE).await.unwrap();
        for (event, disabled) in
            [&event("e1"), &other_tenant, &other_type].into_iter().zip(disabled)
        {
            let savepoint_free = publish_tx(&tx, event).await.unwrap();
            let expected = if disabled { Published::Disabled } else { Published::Inserted };
            assert_eq!(savepoint_free, expected, "{scope} {name}: {event:?}");
        }
        tx.batch_execute("DELETE FROM postrider.webhook_events; DELETE FROM postrider.webhook_event_ids; DELETE FROM postrider.webhook_events_pending").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((stage.messages().await, stage.events().await), (1, 0));
        stage.observer.execute("DELETE FROM postrider.webhook_switches", &[]).await.unwrap();
    }
    let tx = client.transaction().await.unwrap();
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), Published::Inserted);
}

#[tokio::test]
async fn a_batch_is_disabled_event_by_event() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let close =
        "INSERT INTO postrider.webhook_switches (scope, name) VALUES ('type', 'email.received')";
    stage.observer.batch_execute(close).await.unwrap();
    let twin_of_other_type = Event::new(EMAIL_SENT, "t").id("e2").data_text("{}");
    let events =
        [event("e1"), Event::new(EMAIL_RECEIVED, "t").id("e2").data_text("{}"), twin_of_other_type];
    let tx = client.transaction().await.unwrap();
    let answers = publish_many_tx(&tx, &events).await.unwrap();
    assert_eq!(answers, [Published::Inserted, Published::Disabled, Published::Inserted]);
}

#[tokio::test]
async fn a_local_switch_answers_without_any_sql() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let outbox = Outbox::new().switched_off();
    let mut tx = client.transaction().await.unwrap();
    assert!(tx.batch_execute("SELECT 1/0").await.is_err(), "now any SQL would fail");
    assert_eq!(outbox.publish_tx(&tx, &event("e1")).await.unwrap(), Published::Disabled);
    assert_eq!(outbox.publish_many_tx(&tx, &[event("e1")]).await.unwrap(), [Published::Disabled]);
    let answer = outbox.publish_best_effort_tx(&mut tx, &event("e1")).await;
    assert!(matches!(answer, BestEffort::Done(Published::Disabled)), "{answer:?}");
}

/// The variable is read once for each process, so a process of its own has to show it: this test again, with it set.
#[tokio::test]
async fn the_environment_variable_switches_a_process_off() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let tx = client.transaction().await.unwrap();
    let in_child = std::env::var_os(postrider::PUBLISH_SWITCH).is_some();
    let expected = if in_child { Published::Disabled } else { Published::Inserted };
    assert_eq!(publish_tx(&tx, &event("e1")).await.unwrap(), expected);
    if !in_child {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "switch::the_environment_variable_switches_a_process_off"])
            .env(postrider::PUBLISH_SWITCH, "off")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
