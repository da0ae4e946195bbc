//! Changing the master key under many secrets: in pages, ended in the middle, and done to its end by whoever comes next.

use std::cell::Cell;

use postrider_core::seal::KeyRing;
use postrider_store::admin::sealed::{Progress, count, rotate};
use postrider_store::{Connect, Db, Mode};
use postrider_testkit::TestDb;
use uuid::Uuid;

const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "HxweHRsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const ENDPOINTS: i64 = 2_000;
const SECRETS: u64 = 10_000;

fn aad(endpoint: Uuid) -> Vec<u8> {
    [b"secret:".as_slice(), endpoint.as_bytes()].concat()
}

/// As many endpoints as tenants may have, each with as many live secrets as it may have, sealed with the old key.
async fn fill(client: &tokio_postgres::Client, old: &KeyRing) {
    let endpoints = "INSERT INTO postrider.webhook_endpoints (id, tenant_id, url, event_types)
        SELECT gen_random_uuid(), 't' || i / 50, 'https://example.com/', '{*}' FROM generate_series(0, $1::bigint - 1) i RETURNING id";
    let rows = client.query(endpoints, &[&ENDPOINTS]).await.unwrap();
    let owners: Vec<Uuid> = rows.iter().flat_map(|row| [row.get::<_, Uuid>(0); 5]).collect();
    let sealed: Vec<Vec<u8>> = owners
        .iter()
        .enumerate()
        .map(|(n, owner)| {
            let mut nonce = [0; 24];
            nonce[..8].copy_from_slice(&n.to_be_bytes());
            old.seal(format!("secret {n}").as_bytes(), &aad(*owner), nonce)
        })
        .collect();
    let secrets = "INSERT INTO postrider.webhook_endpoint_secrets (endpoint_id, sealed) SELECT * FROM unnest($1::uuid[], $2::bytea[])";
    client.execute(secrets, &[&owners, &sealed]).await.unwrap();
}

#[tokio::test]
async fn ten_thousand_secrets_are_sealed_again_though_the_rotation_is_interrupted() {
    let test = TestDb::new().await;
    let client = test.client().await;
    let connect = Connect::parse(test.url(), "postrider-test", None).unwrap();
    let db = Db::new(&connect, Mode::Direct, 2).unwrap();
    let old = KeyRing::from_master_keys(&[OLD]).unwrap();
    let both = KeyRing::from_master_keys(&[NEW, OLD]).unwrap();
    fill(&client, &old).await;

    // Dropped where it stands, as a killed command is, after a third of the pages.
    let (seen, pages) = (Cell::new(0), Cell::new(0_u64));
    let enough = tokio::sync::Notify::new();
    let rotation = rotate(&db, &both, false, |progress| {
        seen.set(progress.seen);
        pages.set(pages.get() + 1);
        if progress.seen >= SECRETS / 3 {
            enough.notify_one();
        }
    });
    tokio::select! {
        done = rotation => panic!("it ended: {done:?}"),
        () = enough.notified() => {}
    }
    assert!(
        pages.get() > 10 && seen.get() < SECRETS / 2,
        "{} in {} pages",
        seen.get(),
        pages.get()
    );
    let new_id = both.key_ids().next().unwrap();
    let under_new = |counted: Vec<postrider_store::admin::sealed::Sealed>| {
        let of_new = counted.iter().filter(|sealed| sealed.key_id == new_id);
        of_new.map(|sealed| sealed.count).sum::<i64>().unsigned_abs()
    };
    let first = under_new(count(&db).await.unwrap());
    assert!(first >= seen.get() && first < SECRETS, "what was done is done: {first}");

    let rest = rotate(&db, &both, false, |_| {}).await.unwrap();
    // One statement may have been under way when the first was dropped.
    let again = under_new(count(&db).await.unwrap());
    assert_eq!(again, SECRETS);
    assert!(rest.resealed + first <= SECRETS && rest.resealed + first >= SECRETS - 1, "{rest:?}");
    assert_eq!((rest.seen, rest.unopened), (SECRETS, 0), "{rest:?}");
    let idle = rotate(&db, &both, false, |_| {}).await.unwrap();
    assert_eq!(idle, Progress { seen: SECRETS, ..Progress::default() });

    // The new key alone opens all of them, and they are what they were.
    let new = KeyRing::from_master_keys(&[NEW]).unwrap();
    let rows = client
        .query("SELECT endpoint_id, sealed FROM postrider.webhook_endpoint_secrets", &[])
        .await
        .unwrap();
    let mut opened: Vec<Vec<u8>> =
        rows.iter().map(|row| new.open(row.get(1), &aad(row.get(0))).unwrap().to_vec()).collect();
    opened.sort_unstable();
    let mut wanted: Vec<Vec<u8>> =
        (0..SECRETS).map(|n| format!("secret {n}").into_bytes()).collect();
    wanted.sort_unstable();
    assert!(opened == wanted, "every secret is there, once");
}
