mod concurrency;

use std::io::{Cursor, Write};

use jiff::Timestamp;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::{
    exception::{ExceptionKind, ThrottleReason},
    reference::READ,
    runtimes::Runtime,
    settings::{MemoryRefusal, Moves, VersionState},
};

const DELAY: Duration = Duration::from_millis(50);

/// A clock that moves only when it is told to.
#[derive(Debug, Clone, Copy)]
struct TestClock(Moment);

impl TestClock {
    fn new() -> Self {
        Self(Moment { instant: std::time::Instant::now(), timestamp: Timestamp::UNIX_EPOCH })
    }

    fn advance(&mut self, store: &mut Store) {
        self.0.instant += DELAY;
        self.0.timestamp += DELAY;
        store.settle(self.0);
    }
}

fn package(content: &[u8]) -> Arc<Package> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::DEFAULT).unwrap();
    zip.write_all(content).unwrap();
    let zip = zip.finish().unwrap().into_inner().into();
    Arc::new(Package::unpack(&zip, &std::env::temp_dir()).unwrap())
}

fn record(name: &str) -> NewFunctionRecord {
    let runtime = Runtime::parse("provided.al2023").unwrap();
    let role = "arn:aws:iam::000000000000:role/r".to_owned();
    NewFunctionRecord {
        name: name.to_owned(),
        configuration: Configuration::new(runtime, "h".to_owned(), role, package(b"one")),
        tags: BTreeMap::new(),
        publish: false,
    }
}

fn empty_store(concurrency: u32) -> Store {
    let account = AwsAccount {
        id: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        largest_memory_mb: 10_240,
        memory_refusal: MemoryRefusal::InvalidParameterValue,
    };
    let rules = Rules {
        concurrency_limit: concurrency,
        update_delay: DELAY,
        revisions: Revisions::default(),
        version_start: VersionStart::default(),
    };
    Store::new(account, rules)
}

/// A store with one active function `f`.
fn store() -> (Store, TestClock) {
    let (mut store, mut clock) = (empty_store(1000), TestClock::new());
    store.create_function(record("f"), clock.0).unwrap();
    clock.advance(&mut store);
    (store, clock)
}

fn named(text: &str) -> FunctionReference {
    FunctionReference::parse(text, None, &READ, &empty_store(1).account).unwrap()
}

fn memory(memory_mb: u32) -> ConfigurationChange {
    ConfigurationChange { memory_mb: Some(memory_mb), ..ConfigurationChange::default() }
}

fn set(
    store: &mut Store,
    clock: TestClock,
    change: ConfigurationChange,
) -> Result<VersionRecord, Exception> {
    store.update(&named("f"), change, &UpdateOptions::default(), clock.0)
}

fn publish(store: &mut Store, clock: TestClock) -> VersionRecord {
    store.publish_version(&named("f"), Publication::default(), clock.0).unwrap().clone()
}

/// Updates `f` to a memory size and publishes a version.
fn publish_with(store: &mut Store, clock: &mut TestClock, memory_mb: u32) -> VersionRecord {
    set(store, *clock, memory(memory_mb)).unwrap();
    clock.advance(store);
    publish(store, *clock)
}

fn served_memory(store: &Store, name: &str) -> u32 {
    store.admit(&named(name), 0.0).unwrap().version.memory_mb
}

fn kind<T: std::fmt::Debug>(result: Result<T, Exception>) -> ExceptionKind {
    result.unwrap_err().kind
}

#[test]
fn a_new_function_is_pending_until_its_delay_is_over() {
    let (mut store, mut clock) = (empty_store(1000), TestClock::new());
    let created = store.create_function(record("f"), clock.0).unwrap().revision_id;
    assert_eq!(kind(store.admit(&named("f"), 0.0)), ExceptionKind::ResourceConflict);
    assert_eq!(kind(set(&mut store, clock, memory(256))), ExceptionKind::ResourceConflict);
    assert_eq!(
        kind(store.create_function(record("f"), clock.0).cloned()),
        ExceptionKind::ResourceConflict
    );
    clock.advance(&mut store);
    assert_ne!(store.version(&named("f")).unwrap().revision_id, created);
    assert_eq!(served_memory(&store, "f"), 128);
}

#[test]
fn an_update_is_in_force_after_its_delay_and_no_second_one_before() {
    let (mut store, mut clock) = store();
    let before = store.version(&named("f")).unwrap().revision_id;
    let updated = set(&mut store, clock, memory(512)).unwrap();
    assert_eq!(updated.configuration.memory_mb, 512);
    assert_ne!(updated.revision_id, before);
    assert_eq!(kind(set(&mut store, clock, memory(256))), ExceptionKind::ResourceConflict);
    let publication = store.publish_version(&named("f"), Publication::default(), clock.0).cloned();
    assert_eq!(kind(publication), ExceptionKind::ResourceConflict);

    let old = store.admit(&named("f"), 0.0).unwrap().version;
    assert_eq!(old.memory_mb, 128, "invocations run the old configuration meanwhile");
    assert!(store.take_retired().is_empty());
    clock.advance(&mut store);
    assert_eq!(served_memory(&store, "f"), 512);
    assert_eq!(store.take_retired(), [old.snapshot]);
    let settled = store.version(&named("f")).unwrap();
    assert_ne!(settled.revision_id, updated.revision_id, "settling makes a revision too");
    assert_eq!(settled.last_modified, updated.last_modified);
}

#[test]
fn guards_let_through_what_they_name_alone() {
    let (mut store, clock) = store();
    let latest = store.version(&named("f")).unwrap().clone();
    let guarded = |revision: String| UpdateOptions {
        revision_id: Some(revision),
        ..UpdateOptions::default()
    };
    let stale = guarded(Uuid::new_v4().to_string());
    let refused = store.update(&named("f"), memory(256), &stale, clock.0);
    assert_eq!(kind(refused), ExceptionKind::PreconditionFailed);
    for (revision, sha256, expected) in [
        (Some("stale".to_owned()), None, ExceptionKind::PreconditionFailed),
        (None, Some("other".to_owned()), ExceptionKind::InvalidParameterValue),
    ] {
        let publication =
            Publication { revision_id: revision, code_sha256: sha256, description: None };
        let refused = store.publish_version(&named("f"), publication, clock.0).cloned();
        assert_eq!(kind(refused), expected);
    }
    let publication = Publication {
        revision_id: Some(latest.revision_id.to_string()),
        code_sha256: Some(latest.configuration.package.sha256.clone()),
        description: Some("guarded".to_owned()),
    };
    let version = store.publish_version(&named("f"), publication, clock.0).unwrap();
    assert_eq!(
        (version.id, &*version.configuration.description),
        (VersionId::Number(1), "guarded")
    );
    let before_publishing = guarded(latest.revision_id.to_string());
    let refused = store.update(&named("f"), memory(256), &before_publishing, clock.0);
    assert_eq!(kind(refused), ExceptionKind::PreconditionFailed, "publishing moved it");
    let current = guarded(revision(&store, "f").to_string());
    assert!(store.update(&named("f"), memory(256), &current, clock.0).is_ok());
}

fn revision(store: &Store, name: &str) -> Uuid {
    store.version(&named(name)).unwrap().revision_id
}

/// As recorded in `TestLambdaTags::test_tag_lifecycle`: each call changes the id, also without a
/// change of tags.
#[test]
fn tags_move_the_revision() {
    let (mut store, mut clock) = store();
    let created = store.version(&named("f")).unwrap().last_modified;
    let mut ids = vec![revision(&store, "f")];
    clock.advance(&mut store);
    for value in ["a", "b", "b"] {
        let tags = [("k".to_owned(), value.to_owned())].into();
        store.tag(&named("f"), tags, clock.0).unwrap();
        ids.push(revision(&store, "f"));
    }
    for keys in [["k"], ["none"]] {
        store.untag(&named("f"), &keys, clock.0).unwrap();
        ids.push(revision(&store, "f"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert_eq!(store.version(&named("f")).unwrap().last_modified, created);
}

/// As recorded in `TestLambdaRevisions::test_function_revisions_version_and_alias`.
#[test]
fn publishing_moves_the_revision_of_latest_alone() {
    let (mut store, mut clock) = store();
    let before = revision(&store, "f");
    let version = publish(&mut store, clock);
    assert_eq!(version.phase, VersionPhase::Settled);
    let after = revision(&store, "f");
    assert_ne!(after, before);
    clock.advance(&mut store);
    assert_eq!(revision(&store, "f:1"), version.revision_id);

    store.create_alias(&named("f"), "live", VersionId::Number(1), AliasChange::default()).unwrap();
    publish(&mut store, clock);
    assert_eq!(
        revision(&store, "f"),
        after,
        "neither an alias nor the same version again moves it"
    );
    assert_eq!(revision(&store, "f:1"), version.revision_id);
}

#[test]
fn what_moves_can_be_chosen() {
    let time = Moves { revision_id: false, last_modified: true };
    for (tagging, publishing) in [(Moves::NOTHING, time), (time, Moves::NOTHING)] {
        let (mut store, mut clock) = store();
        store.rules.revisions = Revisions { tagging, publishing };
        let seen = |store: &Store| {
            let latest = store.version(&named("f")).unwrap();
            (latest.revision_id, latest.last_modified)
        };
        let before = seen(&store);
        clock.advance(&mut store);
        store.tag(&named("f"), [("k".to_owned(), "v".to_owned())].into(), clock.0).unwrap();
        assert_eq!(seen(&store).0, before.0);
        assert_eq!(seen(&store).1 != before.1, tagging.last_modified);
        let before = seen(&store);
        clock.advance(&mut store);
        publish(&mut store, clock);
        assert_eq!(seen(&store).0, before.0);
        assert_eq!(seen(&store).1 != before.1, publishing.last_modified);
    }
}

#[test]
fn a_version_can_begin_in_any_state() {
    let (mut store, mut clock) = store();
    for state in [VersionState::Pending, VersionState::Deactivated, VersionState::Deleting] {
        store.rules.version_start = VersionStart { state, lasts: DELAY };
        let version = publish_with(&mut store, &mut clock, 256 + state as u32);
        assert_eq!(version.phase, VersionPhase::Starting { state, until: clock.0.instant + DELAY });
        let name = format!("f:{}", version.id.text());
        let refused = store.admit(&named(&name), 0.0).unwrap_err();
        assert_eq!(refused.kind, ExceptionKind::ResourceConflict);
        assert!(refused.message.ends_with(state.name()), "{}", refused.message);
        clock.advance(&mut store);
        assert!(store.admit(&named(&name), 0.0).is_ok());
    }
}

#[test]
fn publishing_what_did_not_change_gives_the_newest_version_back() {
    let (mut store, mut clock) = store();
    let described =
        |text: &str| Publication { description: Some(text.to_owned()), ..Publication::default() };
    store.publish_version(&named("f"), described("first"), clock.0).unwrap();
    let again = store.publish_version(&named("f"), described("second"), clock.0).unwrap();
    assert_eq!((again.id, &*again.configuration.description), (VersionId::Number(1), "first"));

    set(&mut store, clock, memory(128)).unwrap();
    clock.advance(&mut store);
    assert_eq!(publish(&mut store, clock).id, VersionId::Number(1), "128 MB it had before");

    assert_eq!(publish_with(&mut store, &mut clock, 256).id, VersionId::Number(2));
    assert_eq!(publish_with(&mut store, &mut clock, 128).id, VersionId::Number(3));
    let code =
        ConfigurationChange { package: Some(package(b"two")), ..ConfigurationChange::default() };
    set(&mut store, clock, code).unwrap();
    clock.advance(&mut store);
    assert_eq!(publish(&mut store, clock).id, VersionId::Number(4));
    let same_code =
        ConfigurationChange { package: Some(package(b"two")), ..ConfigurationChange::default() };
    set(&mut store, clock, same_code).unwrap();
    clock.advance(&mut store);
    assert_eq!(publish(&mut store, clock).id, VersionId::Number(4));
}

#[test]
fn numbers_are_never_given_twice() {
    let (mut store, mut clock) = store();
    publish_with(&mut store, &mut clock, 256);
    publish_with(&mut store, &mut clock, 512);
    store.delete(&named("f:2")).unwrap();
    assert_eq!(publish(&mut store, clock).id, VersionId::Number(3));
}

#[test]
fn a_published_version_stays_what_it_was() {
    let (mut store, mut clock) = store();
    publish_with(&mut store, &mut clock, 256);
    assert_eq!(served_memory(&store, "f:1"), 256, "active at once");
    set(&mut store, clock, memory(512)).unwrap();
    clock.advance(&mut store);
    assert_eq!(served_memory(&store, "f:1"), 256);
    assert_eq!(served_memory(&store, "f"), 512);
}

#[test]
fn an_update_can_publish_at_once_or_only_be_tried() {
    let (mut store, mut clock) = store();
    let dry_run = UpdateOptions { dry_run: true, ..UpdateOptions::default() };
    let preview = store.update(&named("f"), memory(256), &dry_run, clock.0).unwrap();
    assert_eq!(preview.configuration.memory_mb, 256);
    assert_eq!(store.version(&named("f")).unwrap().configuration.memory_mb, 128);

    let publish = UpdateOptions { publish: true, ..UpdateOptions::default() };
    let version = store.update(&named("f"), memory(256), &publish, clock.0).unwrap();
    assert_eq!(version.id, VersionId::Number(1));
    assert_eq!(kind(store.admit(&named("f:1"), 0.0)), ExceptionKind::ResourceConflict);
    clock.advance(&mut store);
    assert_eq!(served_memory(&store, "f:1"), 256);
}

#[test]
fn versions_alone_can_be_deleted_and_only_without_aliases() {
    let (mut store, mut clock) = store();
    publish_with(&mut store, &mut clock, 256);
    publish_with(&mut store, &mut clock, 512);
    clock.advance(&mut store);
    let routing = RoutingChange::Set(Routing { version: 2, weight: 0.25 });
    let change = AliasChange { routing, ..AliasChange::default() };
    store.create_alias(&named("f"), "live", VersionId::Number(1), change).unwrap();
    store.take_retired();

    for pointed_to in ["f:1", "f:2"] {
        let refusal = store.delete(&named(pointed_to)).unwrap_err();
        assert_eq!(refusal.kind, ExceptionKind::ResourceConflict);
        assert!(refusal.message.ends_with("aliases reference it: [live]"), "{}", refusal.message);
    }
    assert_eq!(kind(store.delete(&named("f:live"))), ExceptionKind::InvalidParameterValue);
    assert_eq!(kind(store.delete(&named("f:$LATEST"))), ExceptionKind::InvalidParameterValue);
    assert_eq!(kind(store.delete(&named("g:1"))), ExceptionKind::ResourceNotFound);

    store.delete_alias(&named("f"), "live").unwrap();
    let snapshot = store.admit(&named("f:1"), 0.0).unwrap().version.snapshot;
    store.delete(&named("f:1")).unwrap();
    assert_eq!(store.take_retired(), [snapshot]);
    assert_eq!(store.delete(&named("f:1")), Ok(()), "as on AWS, what is gone can be deleted");
    store.delete(&named("f")).unwrap();
    assert_eq!(store.take_retired().len(), 2, "$LATEST and version 2");
    assert_eq!(kind(store.delete(&named("f"))), ExceptionKind::ResourceNotFound);
}

#[test]
fn aliases_follow_their_routing_and_their_guard() {
    let (mut store, mut clock) = store();
    publish_with(&mut store, &mut clock, 256);
    publish_with(&mut store, &mut clock, 512);
    clock.advance(&mut store);
    let plain = AliasChange::default;
    let alias = store.create_alias(&named("f"), "live", VersionId::Number(1), plain()).unwrap();
    let again = store.create_alias(&named("f"), "live", VersionId::Number(1), plain());
    assert_eq!(kind(again), ExceptionKind::ResourceConflict);
    let nowhere = store.create_alias(&named("f"), "x", VersionId::Number(9), plain());
    assert_eq!(kind(nowhere), ExceptionKind::ResourceNotFound);

    let split = AliasChange {
        routing: RoutingChange::Set(Routing { version: 2, weight: 0.25 }),
        revision_id: Some(alias.revision_id.to_string()),
        ..plain()
    };
    let updated = store.update_alias(&named("f"), "live", split.clone()).unwrap();
    assert_ne!(updated.revision_id, alias.revision_id);
    let stale = store.update_alias(&named("f"), "live", split);
    assert_eq!(kind(stale), ExceptionKind::PreconditionFailed);
    let memory_at = |draw| store.admit(&named("f:live"), draw).unwrap().version.memory_mb;
    assert_eq!((memory_at(0.24), memory_at(0.25), memory_at(0.99)), (512, 256, 256));

    for (version, routed) in [(VersionId::Latest, 1), (VersionId::Number(1), 1)] {
        let routing = RoutingChange::Set(Routing { version: routed, weight: 0.5 });
        let change = AliasChange { version: Some(version), routing, ..plain() };
        let refused = store.update_alias(&named("f"), "live", change);
        assert_eq!(kind(refused), ExceptionKind::InvalidParameterValue);
    }
    assert_eq!(kind(store.alias(&named("f"), "none").cloned()), ExceptionKind::ResourceNotFound);
    assert_eq!(store.delete_alias(&named("f"), "none"), Ok(()));
}
