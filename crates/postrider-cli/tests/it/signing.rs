//! How requests are signed, written and let in, from the command line to what a receiver gets.

use std::time::Duration;

use postrider_core::seal::KeyRing;
use postrider_core::signing::Ed25519Public;
use postrider_testkit::{Behaviour, Received, Receiver, Reply, TestDb};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Cli, MASTER_KEY, terminate};

const LIMIT: Duration = Duration::from_secs(30);

/// Adds an endpoint at a path of the receiver.
async fn add(cli: &Cli, receiver: &Receiver, path: &str, more: &[&str]) -> Value {
    let args = ["endpoints", "add", &receiver.url(path), "--dev", "--json"];
    cli.run(&[&args[..], more].concat()).await.exits(0).json()
}

async fn publish(cli: &Cli, data: &str) {
    cli.run(&["events", "publish", "email.sent", "--data", data]).await.exits(0);
}

/// Delivers what is due, once.
async fn deliver(cli: &Cli) -> String {
    let ran = cli.run(&["run", "--once", "--dev", "--admin-listen", "off"]).await.exits(0);
    ran.out + &ran.err
}

async fn secrets(cli: &Cli, id: &str) -> Vec<Value> {
    let listed = cli.run(&["endpoints", "secrets", "list", id, "--json"]).await.exits(0).json();
    listed["data"].as_array().expect("a list").clone()
}

fn got(receiver: &Receiver, path: &str) -> Received {
    receiver
        .received_at(path)
        .into_iter()
        .last()
        .unwrap_or_else(|| panic!("nothing came to {path}"))
}

#[tokio::test]
async fn rotating_twice_kills_no_secret_early_and_a_sixth_is_refused() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &[]).await;
    let id = added["id"].as_str().unwrap();
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    let after_one = secrets(&cli, id).await;
    cli.run(&["endpoints", "secrets", "rotate", id, "--overlap", "1m"]).await.exits(0);
    let after_two = secrets(&cli, id).await;
    assert_eq!(after_two.len(), 3);
    assert_eq!(
        after_two[2]["expires_at"], after_one[1]["expires_at"],
        "the oldest keeps its own end"
    );
    assert_eq!(after_two[0]["expires_at"], Value::Null);
    assert!(after_two[1]["expires_at"].as_str() < after_two[2]["expires_at"].as_str());
    publish(&cli, "{}").await;
    deliver(&cli).await;
    assert_eq!(got(&receiver, "/h").header("webhook-signature").split(' ').count(), 3);

    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(1).says("5 live secrets");
    let oldest = secrets(&cli, id).await[4]["id"].as_str().unwrap().to_owned();
    cli.run(&["endpoints", "secrets", "revoke", id, &oldest]).await.exits(2).says("--yes");
    cli.run(&["endpoints", "secrets", "revoke", id, &oldest, "--yes"]).await.exits(0);
    cli.run(&["endpoints", "secrets", "revoke", id, &oldest, "--yes"]).await.exits(5);
    cli.run(&["endpoints", "secrets", "rotate", id, "--overlap", "0s"]).await.exits(0);
    publish(&cli, "{}").await;
    deliver(&cli).await;
    let left = got(&receiver, "/h").header("webhook-signature").split(' ').count();
    assert_eq!(left, 4, "those that had an end keep it, the newest ended at once");
}

#[tokio::test]
async fn the_only_live_secret_cannot_be_revoked() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &[]).await;
    let id = added["id"].as_str().unwrap();
    let only = secrets(&cli, id).await[0]["id"].as_str().unwrap().to_owned();
    cli.run(&["endpoints", "secrets", "revoke", id, &only, "--yes"])
        .await
        .exits(1)
        .says("only live secret");
    assert_eq!(secrets(&cli, id).await.len(), 1);
}

#[tokio::test]
async fn where_the_secret_without_an_end_is_revoked_another_loses_its_own() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &[]).await;
    let id = added["id"].as_str().unwrap();
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    let three = secrets(&cli, id).await;
    let ids: Vec<&str> = three.iter().map(|secret| secret["id"].as_str().unwrap()).collect();
    let revoke = |secret: &str| {
        ["endpoints", "secrets", "revoke", id, secret, "--yes", "--json"].map(str::to_owned)
    };
    let newest = revoke(ids[0]);
    let newest: Vec<&str> = newest.iter().map(String::as_str).collect();
    let revoked = cli.run(&newest).await.exits(0).json();
    assert_eq!(revoked["kept"], ids[1], "the newest of those that stay");
    let two = secrets(&cli, id).await;
    assert_eq!(two[0]["expires_at"], Value::Null);
    assert_eq!(two[1]["expires_at"], three[2]["expires_at"], "the others keep theirs");
    // One that has an end is nobody's stay.
    let oldest = revoke(ids[2]);
    let oldest: Vec<&str> = oldest.iter().map(String::as_str).collect();
    assert_eq!(cli.run(&oldest).await.exits(0).json()["kept"], Value::Null);
}

#[tokio::test]
async fn a_key_pair_takes_no_signature_away_from_those_that_have_one() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &["--sign", "github"]).await;
    let id = added["id"].as_str().unwrap();
    let rotate = ["endpoints", "secrets", "rotate", id, "--kind", "ed25519"];
    let ending = [&rotate[..], &["--overlap", "1h"]].concat();
    cli.run(&ending).await.exits(2).says("signing.secret").says("--overlap forever");
    assert_eq!(secrets(&cli, id).await.len(), 1, "nothing was changed");
    cli.run(&rotate).await.exits(0).says("stay");
    let both = secrets(&cli, id).await;
    assert!(both.iter().all(|secret| secret["expires_at"].is_null()), "{both:?}");
    let standard = both[1]["id"].as_str().unwrap();
    let revoke = ["endpoints", "secrets", "revoke", id, standard, "--yes"];
    cli.run(&revoke).await.exits(2).says("signing.secret");
    assert_eq!(secrets(&cli, id).await.len(), 2);
    publish(&cli, "{}").await;
    deliver(&cli).await;
    let request = got(&receiver, "/h");
    assert!(request.header("x-hub-signature-256").starts_with("sha256="));
    assert!(request.header("webhook-signature").contains(" v1,"));
    // Without a profile the pair is enough, for who wants it so.
    cli.run(&["endpoints", "update", id, "--sign", "none"]).await.exits(0);
    cli.run(&revoke).await.exits(0);

    // What came about before says so where it is sent from.
    let past = r#"UPDATE postrider.webhook_endpoints SET signing = '[{"profile":"github","header":"x-hub-signature-256"}]'"#;
    db.client().await.execute(past, &[]).await.unwrap();
    publish(&cli, "{}").await;
    let said = deliver(&cli).await;
    assert!(said.contains("its signing profiles are left out"), "{said}");
}

#[tokio::test]
async fn rotations_at_once_end_with_five_live_secrets_of_which_one_has_no_end() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &[]).await;
    let id = added["id"].as_str().unwrap();
    let rotate = ["endpoints", "secrets", "rotate", id, "--json"];
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
        cli.run(&rotate),
    );
    let codes = [a, b, c, d, e, f, g, h].map(|ran| ran.code);
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 4, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 0 | 1)), "{codes:?}");
    let live = secrets(&cli, id).await;
    assert_eq!(live.len(), 5);
    assert_eq!(live.iter().filter(|secret| secret["expires_at"].is_null()).count(), 1);
    assert!(live[0]["expires_at"].is_null(), "the newest");
    // The table itself refuses what went past the command.
    let past = "INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, sealed) SELECT id, '' FROM postrider.webhook_endpoints";
    let refused = db.client().await.execute(past, &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "54000");
}

#[tokio::test]
async fn a_key_pair_signs_beside_a_secret_and_its_public_key_is_published() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/h", &[]).await;
    let id = added["id"].as_str().unwrap();
    let rotate = [
        "endpoints",
        "secrets",
        "rotate",
        id,
        "--kind",
        "ed25519",
        "--overlap",
        "forever",
        "--json",
    ];
    let rotated = cli.run(&rotate).await.exits(0).json();
    assert_eq!(rotated["secret"], Value::Null, "nobody needs the private half");
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let daemon = cli.start(&["run", "--dev", "--admin-listen", &listen]);
    publish(&cli, r#"{"a":1}"#).await;
    let request = receiver.wait_for(1, LIMIT).await.remove(0);
    let page = get(&listen, &format!("/.well-known/postrider/keys/{id}")).await;
    let missing =
        get(&listen, "/.well-known/postrider/keys/whk_00000000000000000000000000000000").await;
    let odd = get(&listen, "/.well-known/postrider/keys/../../metrics").await;
    terminate(&daemon);
    assert_eq!((page.0, missing.0, odd.0), (200, 404, 404));
    let document: Value = serde_json::from_str(&page.1).unwrap();
    assert_eq!(document["keys"].as_array().unwrap().len(), 1);
    assert_eq!(document["keys"][0]["public_key"], rotated["public_key"]);
    let public = Ed25519Public::parse(document["keys"][0]["public_key"].as_str().unwrap()).unwrap();
    let parts: Vec<&str> = request.header("webhook-signature").split(' ').collect();
    assert!(parts.len() == 2 && parts[1].starts_with("v1,"), "{parts:?}");
    let signature = parts[0].strip_prefix("v1a,").expect("the newest comes first");
    let timestamp = request.header("webhook-timestamp").parse().unwrap();
    assert!(public.verifies(signature, request.id(), timestamp, &request.body));
}

/// Status and body of a GET.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("the daemon listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn profiles_sign_side_by_side_with_a_secret_taken_over() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let secret = cli.file("old", "whsec_current_vector\n");
    let sign = "stripe=X-E2A-Signature,github,hmac-hex=X-Sig,shared-secret";
    let opaque = ["--secret-kind", "opaque", "--secret-file", &secret];
    cli.run(&[&["endpoints", "add", "https://example.com/h"], &opaque[..]].concat())
        .await
        .exits(2)
        .says("signing.unsigned");
    let added = add(&cli, &receiver, "/h", &[&opaque[..], &["--sign", sign]].concat()).await;
    assert_eq!(added["secret"], Value::Null);
    publish(&cli, "{}").await;
    deliver(&cli).await;
    let first = got(&receiver, "/h");
    assert_eq!(first.header("webhook-signature"), "", "an opaque secret signs profiles only");
    assert_eq!(first.header("x-webhook-secret"), "whsec_current_vector");
    let hex = first.header("x-sig");
    assert_eq!(first.header("x-hub-signature-256"), format!("sha256={hex}"));
    let stripe = format!("t={},v1=", first.header("webhook-timestamp"));
    assert!(first.header("x-e2a-signature").starts_with(&stripe));

    let id = added["id"].as_str().unwrap();
    cli.run(&["endpoints", "secrets", "rotate", id]).await.exits(0);
    publish(&cli, "{}").await;
    deliver(&cli).await;
    let second = got(&receiver, "/h");
    assert_eq!(second.header("x-e2a-signature").matches(",v1=").count(), 2, "newest and older");
    assert!(second.header("webhook-signature").starts_with("v1,"));
    cli.run(&["endpoints", "update", id, "--sign", "none"]).await.exits(0);
    let shown = cli.run(&["endpoints", "show", id, "--json"]).await.exits(0).json();
    assert_eq!(shown["signing"], json!([]));
}

#[tokio::test]
async fn no_change_leaves_an_endpoint_without_any_signature() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let added = add(&cli, &receiver, "/opaque", &["--secret-kind", "opaque", "--sign", "github"]);
    let opaque = added.await["id"].as_str().unwrap().to_owned();
    let none = ["endpoints", "update", &opaque, "--sign", "none"];
    cli.run(&none).await.exits(2).says("signing.unsigned");
    cli.run(&["endpoints", "update", &opaque, "--sign", "stripe"]).await.exits(0);

    let standard = add(&cli, &receiver, "/h", &[]).await["id"].as_str().unwrap().to_owned();
    let rotate = ["endpoints", "secrets", "rotate", &standard, "--kind", "opaque"];
    cli.run(&rotate).await.exits(2).says("kind").says("signing.unsigned");
    assert_eq!(secrets(&cli, &standard).await.len(), 1, "nothing was changed");
    // While the other one stays, it may come beside it, and then that one may not go.
    cli.run(&[&rotate[..], &["--overlap", "forever"]].concat()).await.exits(0);
    let first = secrets(&cli, &standard).await[1]["id"].as_str().unwrap().to_owned();
    let revoke = ["endpoints", "secrets", "revoke", &standard, &first, "--yes"];
    cli.run(&revoke).await.exits(2).says("signing.unsigned");
    assert_eq!(secrets(&cli, &standard).await.len(), 2);
    cli.run(&["endpoints", "update", &standard, "--sign", "github"]).await.exits(0);
    cli.run(&revoke).await.exits(0);
    cli.run(&["endpoints", "update", &standard, "--sign", "none"]).await.exits(2);

    // An endpoint from before these rules says so itself.
    let show = ["endpoints", "show", &standard];
    assert_eq!(cli.run(&[&show[..], &["--json"]].concat()).await.json()["unsigned"], json!(false));
    let past = "UPDATE postrider.webhook_endpoints SET signing = '[]'";
    db.client().await.execute(past, &[]).await.unwrap();
    assert_eq!(cli.run(&[&show[..], &["--json"]].concat()).await.json()["unsigned"], json!(true));
    let shown = cli.run(&show).await.exits(0).out;
    assert!(shown.contains("NO SIGNATURE AT ALL"), "{shown}");
}

#[tokio::test]
async fn every_format_is_byte_identical_on_its_retry_and_keeps_the_bytes_of_data() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let data = r#"{ "b":1E2, "a":"\u00fc", "a":[1,  2] }"#;
    for format in ["postrider", "standard", "cloudevents", "raw"] {
        let path = format!("/{format}");
        receiver.behave(&path, Behaviour::statuses([500, 200]));
        add(&cli, &receiver, &path, &["--format", format, "--retry-schedule", "1s"]).await;
    }
    publish(&cli, data).await;
    let daemon = cli.start(&["run", "--dev", "--admin-listen", "off"]);
    receiver.wait_for(8, LIMIT).await;
    terminate(&daemon);
    for (format, kind) in [
        ("postrider", "application/json"),
        ("standard", "application/json"),
        ("cloudevents", "application/cloudevents+json; charset=utf-8"),
        ("raw", "application/json"),
    ] {
        let both = receiver.received_at(&format!("/{format}"));
        assert_eq!(both.len(), 2, "{format}");
        assert_eq!(both[0].body, both[1].body, "{format}");
        assert_eq!(both[0].header("content-type"), kind);
        let body = std::str::from_utf8(&both[0].body).unwrap();
        assert!(body.contains(data), "{format}: {body}");
    }
    assert_eq!(got(&receiver, "/raw").body, data.as_bytes());
    let event = got(&receiver, "/cloudevents").json();
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("email.sent")));
    assert_eq!(got(&receiver, "/standard").json()["type"], "email.sent");
}

#[tokio::test]
async fn endpoints_are_logged_in_to() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let token = |token: &str| {
        Behaviour::Reply(Reply::new(200).body(format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#
        )))
    };
    receiver.behave("/token", Behaviour::Sequence(vec![token("t-first"), token("t-second")]));
    receiver.behave(
        "/oauth2",
        Behaviour::ask(|request| {
            Behaviour::status(if request.header("authorization") == "Bearer t-second" {
                200
            } else {
                401
            })
        }),
    );
    let oauth = json!({ "type": "oauth2", "token_url": receiver.url("/token"), "client_id": "id", "client_secret": "canary", "scope": "a b" });
    for (path, auth) in [
        ("/basic", json!({ "type": "basic", "user": "Aladdin", "password": "open sesame" })),
        ("/bearer", json!({ "type": "bearer", "token": "abc" })),
        ("/oauth2", oauth),
    ] {
        let file = cli.file("auth.json", &auth.to_string());
        add(&cli, &receiver, path, &["--auth-file", &file]).await;
    }
    publish(&cli, "{}").await;
    publish(&cli, "{}").await;
    let said = deliver(&cli).await;
    assert_eq!(
        got(&receiver, "/basic").header("authorization"),
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    );
    assert_eq!(got(&receiver, "/bearer").header("authorization"), "Bearer abc");
    assert_eq!(got(&receiver, "/oauth2").header("authorization"), "Bearer t-second");
    let asked = receiver.received_at("/token");
    assert_eq!(asked.len(), 2, "once, and once more after the 401");
    assert_eq!(asked[0].body.as_ref(), b"grant_type=client_credentials&scope=a%20b");
    assert_eq!(asked[0].header("authorization"), "Basic aWQ6Y2FuYXJ5");
    assert!(!said.contains("canary") && !said.contains("t-first"), "{said}");
    let open = db
        .client()
        .await
        .query("SELECT FROM postrider.webhook_deliveries_open", &[])
        .await
        .unwrap();
    assert!(open.is_empty());
}

#[tokio::test]
async fn a_token_url_is_held_to_the_rules_of_an_endpoints_url() {
    let db = TestDb::new().await;
    let cli = Cli::at(&db);
    let auth = r#"{"type":"oauth2","token_url":"http://169.254.169.254/token","client_id":"id","client_secret":"canary"}"#;
    let file = cli.file("auth.json", auth);
    let ran = cli
        .run(&["endpoints", "add", "https://example.com/h", "--auth-file", &file])
        .await
        .exits(2);
    assert!(ran.err.contains("token_url") && !ran.err.contains("canary"), "{}", ran.err);
}

#[tokio::test]
async fn everything_is_sealed_again_with_the_newest_master_key() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let file = cli.file("auth.json", r#"{"type":"bearer","token":"abc"}"#);
    add(&cli, &receiver, "/h", &["--auth-file", &file, "--header", "X-A: b"]).await;
    let newest = "ff".repeat(32);
    let both = Cli::at(&db).with("POSTRIDER_MASTER_KEY", &format!("{newest},{MASTER_KEY}"));
    let dry = both.run(&["keys", "rotate", "--dry-run", "--json"]).await.exits(0).json();
    assert_eq!((&dry["seen"], &dry["resealed"]), (&json!(3), &json!(3)));
    let listed = both.run(&["keys", "list", "--json"]).await.exits(0).json();
    assert_eq!(
        (&listed["data"][0]["sealed"], &listed["data"][1]["sealed"]),
        (&json!(0), &json!(3))
    );
    both.run(&["keys", "rotate"]).await.exits(0);
    let only = Cli::at(&db).with("POSTRIDER_MASTER_KEY", &newest);
    let again = only.run(&["keys", "rotate", "--json"]).await.exits(0).json();
    assert_eq!((&again["seen"], &again["resealed"]), (&json!(3), &json!(0)));
    publish(&only, "{}").await;
    deliver(&only).await;
    assert_eq!(got(&receiver, "/h").header("authorization"), "Bearer abc");
    // The old key alone opens nothing any more, and says which is missing.
    cli.run(&["keys", "rotate"]).await.exits(1).says("cannot be opened");
    let missing = cli.run(&["keys", "list", "--json"]).await.exits(0).json();
    assert_eq!(missing["data"][1]["state"], "missing");
}

#[tokio::test]
async fn each_master_key_is_listed_once_whatever_is_sealed_with_it() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    for byte in ["aa", "bb"] {
        let cli = Cli::at(&db).with("POSTRIDER_MASTER_KEY", &byte.repeat(32));
        let file = cli.file("auth.json", r#"{"type":"bearer","token":"abc"}"#);
        let path = format!("/{byte}");
        add(&cli, &receiver, &path, &["--auth-file", &file, "--header", "X-A: b"]).await;
    }
    let listed = Cli::at(&db).run(&["keys", "list", "--json"]).await.exits(0).json();
    let states: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["seals", "missing", "missing"], "{listed}");
    assert!(listed["data"].as_array().unwrap().iter().skip(1).all(|key| key["sealed"] == 3));
}

/// What is sealed of an endpoint's TLS identity.
async fn identity(db: &TestDb, id: &str) -> Option<Value> {
    let sql = "SELECT id, tls_sealed FROM postrider.webhook_endpoints WHERE 'whk_' || replace(id::text, '-', '') = $1";
    let row = db.client().await.query_one(sql, &[&id]).await.unwrap();
    let place = [b"tls:".as_slice(), row.get::<_, uuid::Uuid>(0).as_bytes()].concat();
    let keys = KeyRing::from_master_keys(&[MASTER_KEY]).unwrap();
    let sealed: Option<&[u8]> = row.get(1);
    sealed.map(|sealed| serde_json::from_slice(&keys.open(sealed, &place).unwrap()).unwrap())
}

#[tokio::test]
async fn an_update_with_half_a_tls_identity_keeps_the_other_half() {
    let (db, receiver) = (TestDb::new().await, Receiver::start().await);
    let cli = Cli::at(&db);
    let certificate = |name: &str| {
        let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (cli.file(name, &pair.cert.pem()), cli.file("key.pem", &pair.signing_key.serialize_pem()))
    };
    let (ca, _) = certificate("ca");
    let (ours, key) = certificate("us");
    let text = |file: &str| Value::from(std::fs::read_to_string(file).unwrap());
    let (client, authority) =
        (["--client-cert", &ours, "--client-key", &key], ["--endpoint-ca", &ca]);
    let whole = json!({ "certificate": text(&ours), "key": text(&key), "ca": text(&ca) });
    for (path, first, second) in
        [("/a", &client[..], &authority[..]), ("/b", &authority[..], &client[..])]
    {
        let added = add(&cli, &receiver, path, first).await;
        let id = added["id"].as_str().unwrap();
        cli.run(&[&["endpoints", "update", id], second].concat()).await.exits(0);
        assert_eq!(identity(&db, id).await.as_ref(), Some(&whole), "{first:?} then {second:?}");
        // Nothing that cannot be opened is thrown away unseen.
        let stranger = Cli::at(&db).with("POSTRIDER_MASTER_KEY", &"ff".repeat(32));
        let update = [&["endpoints", "update", id], second].concat();
        stranger.run(&update).await.exits(1).says("TLS identity");
        assert_eq!(identity(&db, id).await.as_ref(), Some(&whole));
        cli.run(&["endpoints", "update", id, "--no-tls"]).await.exits(0);
        assert_eq!(identity(&db, id).await, None);
    }
}
