#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use super::*;

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("asym-train-claim-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A lease with short times, so that tests are fast.
const BRIEF: Lease = Lease { beat: Duration::from_millis(100), silent: Duration::from_millis(1500) };

/// A claim that a process of another machine wrote `age` seconds ago. If `age` is negative, the file time is in the future.
fn foreign(folder: &Path, number: u64, age: i64) -> PathBuf {
    let path = path(folder, number);
    let text = r#"{"host":"elsewhere","boot":"another","pid":7,"since":"2001-01-01 00:00:00 UTC","step":3,"steps":9}"#;
    std::fs::write(&path, text).unwrap();
    let by = Duration::from_secs(age.unsigned_abs());
    let time = if age < 0 { SystemTime::now() + by } else { SystemTime::now() - by };
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    path
}

#[test]
fn errors_for_claimed_folders_name_the_worker() {
    let folder = folder("second");
    let claim = Claim::take(&folder).unwrap();
    let error = Claim::take(&folder).unwrap_err();
    let TrainError::Claimed { worker, .. } = &error else { panic!("{error}") };
    assert_eq!(worker.pid, std::process::id());
    assert_eq!(Claim::worker(&folder).as_ref(), Some(&**worker));
    for part in [worker.host.as_str(), worker.since.as_str(), folder.to_str().unwrap()] {
        assert!(!part.is_empty() && error.to_string().contains(part), "{part} in: {error}");
    }
    drop(claim);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    assert!(Claim::worker(&folder).is_none());
    Claim::take(&folder).unwrap();
}

/// A killed process leaves its claim file, but no lock.
#[test]
fn claims_of_dead_local_workers_are_free_at_once() {
    let folder = folder("dead");
    let dead = Worker { pid: 7, ..Worker::this() };
    std::fs::write(path(&folder, 4), serde_json::to_string(&dead).unwrap()).unwrap();
    assert_eq!(Claim::worker(&folder), None);
    let claim = Claim::take(&folder).unwrap();
    claim.check().unwrap();
    assert_eq!(claims(&folder).unwrap(), [5]);
}

#[test]
fn claims_of_other_machines_expire_without_writes() {
    let folder = folder("elsewhere");
    foreign(&folder, 1, 20);
    let error = Claim::take(&folder).unwrap_err();
    assert!(error.to_string().contains("process 7 on elsewhere"), "{error}");
    assert_eq!(Claim::worker(&folder).unwrap().step, 3);
    foreign(&folder, 1, 121);
    assert_eq!(Claim::worker(&folder), None);
    Claim::take(&folder).unwrap().check().unwrap();
}

/// The clock of a worker has no effect: neither the time in its claim, which is in 2001 above, nor a file time in the future.
#[test]
fn claims_with_future_times_expire_without_writes() {
    let folder = folder("future");
    let path = foreign(&folder, 1, -86_400);
    assert!(Claim::worker(&folder).is_some());
    let writes = std::thread::spawn(move || {
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(20));
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(3600)).unwrap();
        }
    });
    assert!(matches!(Claim::take_for(&folder, BRIEF), Err(TrainError::Claimed { .. })));
    writes.join().unwrap();
    Claim::take_for(&folder, BRIEF).unwrap();
}

#[test]
fn workers_write_their_progress_to_the_claim() {
    let folder = folder("pulse");
    let claim = Claim::take_for(&folder, BRIEF).unwrap();
    let written = || claim.file.metadata().unwrap().modified().unwrap();
    let before = written();
    claim.tell(30, 60);
    for _ in 0..100 {
        if Claim::worker(&folder).unwrap().step == 30 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let worker = Claim::worker(&folder).unwrap();
    assert_eq!((worker.step, worker.steps), (30, 60));
    assert!(written() > before && !claim.is_doubtful());
}

#[test]
fn errors_for_overtaken_workers_name_the_new_worker() {
    let folder = folder("overtaken");
    let claim = Claim::take_for(&folder, BRIEF).unwrap();
    let number = claim.number;
    foreign(&folder, number + 1, 0);
    let error = claim.check().unwrap_err();
    assert!(matches!(error, TrainError::Overtaken { .. }) && error.to_string().contains("elsewhere"), "{error}");
    for _ in 0..100 {
        if claim.is_doubtful() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(claim.is_doubtful());
    drop(claim);
    assert_eq!(claims(&folder).unwrap(), [number + 1]);
}

/// Threads stand in for processes here, since a file with one number can be created only once in both cases.
#[test]
fn only_one_concurrent_worker_gets_the_claim() {
    let folder = folder("many");
    foreign(&folder, 1, 500);
    let taken: Vec<_> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16).map(|_| scope.spawn(|| Claim::take(&folder))).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().filter(|claim| claim.is_ok()).count(), 1);
    for claim in &taken {
        match claim {
            Ok(claim) => claim.check().unwrap(),
            Err(error) => assert!(matches!(error, TrainError::Claimed { .. }), "{error}"),
        }
    }
    drop(taken);
    assert_eq!(claims(&folder).unwrap(), [0u64; 0]);
}

#[test]
fn moved_folders_are_detected() {
    let folder = folder("moved");
    let claim = Claim::take(&folder).unwrap();
    let aside = folder.with_extension("aside");
    let _ = std::fs::remove_dir_all(&aside);
    std::fs::rename(&folder, &aside).unwrap();
    assert!(matches!(claim.check(), Err(TrainError::FolderGone { .. })));
    // A new run at the same path is a different run.
    std::fs::create_dir_all(&folder).unwrap();
    let other = Claim::take(&folder).unwrap();
    assert!(claim.check().is_err() && other.check().is_ok());
    drop(claim);
    other.check().unwrap();
}

#[test]
#[cfg(unix)]
fn unwritable_folders_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("read-only");
    let allow = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let taken = Claim::take(&folder);
    let is_root = std::fs::write(folder.join("probe"), "").is_ok();
    allow(0o755);
    match taken {
        Err(error) => assert!(matches!(error, TrainError::Io { .. }), "{error}"),
        Ok(_) => assert!(is_root, "a claim in a read-only folder"),
    }
}
