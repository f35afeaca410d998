//! The download of the files of a commit into the cache.
//!
//! The cache has the layout of hf-hub and `huggingface_hub`: the name of a blob is its etag, and a file of a snapshot points to
//! its blob. Received bytes are appended to hf-hub's part file, which is renamed to the blob after its checksum was verified.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use hf_hub::CacheRepo;

use super::Hub;
use super::attempts::Attempts;
use super::checksum::{Checksum, Mismatch, check};
use super::client::Source;
use super::error::HubError;
use super::fault::Fault;
use super::name::{Name, is_inside};
use super::progress::Progress;

/// An attempt that receives at least this many bytes resets the count of failures.
const STEP: u64 = 1 << 20;
/// The largest size of a file whose length the server does not announce. The Hub announces every length, so this limit only
/// concerns other servers.
const UNANNOUNCED: u64 = 64 << 20;
/// The lowest accepted rate of a connection, in bytes per second.
const SLOWEST: f64 = 1024.0;

/// A commit whose files are downloaded if the cache lacks them.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    hub: &'a Hub,
    name: Name,
    commit: String,
    cache: CacheRepo,
}

impl<'a> Fetch<'a> {
    pub fn new(hub: &'a Hub, name: Name, commit: String) -> Self {
        let cache = hub.cache.repo(name.at(&commit));
        Self { hub, name, commit, cache }
    }

    /// Makes sure that a file is in the snapshot.
    pub fn get(&self, file: &str) -> Result<(), HubError> {
        if !is_inside(file) {
            return Err(HubError::UnsafePath { repo: self.name.id.clone(), file: file.to_string() });
        }
        let pointer = self.cache.pointer_path(&self.commit).join(file);
        if pointer.exists() {
            return Ok(());
        }
        let mut attempts = Attempts::new(file, self.hub.retries, self.hub.wait);
        // The part file of an earlier attempt may be wrong, so a damaged file is downloaded once more from the start.
        let mut second_chance = true;
        loop {
            let mut gained = 0;
            let fault = match self.attempt(file, &pointer, &mut gained) {
                Ok(()) => return Ok(()),
                Err(Fault::Damaged { resumed: true, .. }) if second_chance => {
                    second_chance = false;
                    continue;
                }
                Err(fault) => fault,
            };
            attempts
                .wait(fault, gained >= STEP)
                .map_err(|fault| fault.explain(&self.name, file, &self.hub.client.endpoint, attempts.tried()))?;
        }
    }

    /// Records this commit as the commit of the revision. This is done after the files were downloaded.
    pub fn finish(&self) -> Result<(), HubError> {
        let refs = self.hub.refs(&self.name);
        let known = fs::read_to_string(&refs).is_ok_and(|commit| commit.trim() == self.commit);
        if known || self.name.revision == self.commit {
            return Ok(());
        }
        let cache = self.hub.cache.repo(self.name.at(&self.name.revision));
        cache.create_ref(&self.commit).map_err(|source| HubError::Io { path: refs, source })
    }

    /// Makes sure that the blob of a file exists and that `pointer` points to it. The blob may already have been downloaded for
    /// another commit.
    fn attempt(&self, file: &str, pointer: &Path, gained: &mut u64) -> Result<(), Fault> {
        // Each attempt requests the address again, because the signed address of a large file expires.
        let source = self.hub.client.find(self.name.at(&self.commit), file)?;
        let blob = self.cache.blob_path(&source.etag);
        let blobs = blob.parent().unwrap_or(&blob);
        fs::create_dir_all(blobs).map_err(Fault::disk(blobs))?;
        let _lock = self.lock(&blob.with_file_name(format!("{}.lock", source.etag)));
        if length(&blob).is_none_or(|found| source.size.is_some_and(|size| size != found)) {
            self.bring(file, &source, &blob, gained)?;
        }
        link(&blob, pointer, file.split('/').count()).map_err(Fault::disk(pointer))
    }

    /// Downloads a blob, or its missing bytes.
    fn bring(&self, file: &str, source: &Source, blob: &Path, gained: &mut u64) -> Result<(), Fault> {
        let part = blob.with_file_name(format!("{}.part", source.etag));
        let mut before = length(&part).unwrap_or(0);
        // A part file is resumed only if there is a checksum, which shows whether it belongs to the file, and a length, which
        // shows whether it is complete.
        if Checksum::of_etag(&source.etag).is_none() || source.size.is_none_or(|size| size < before) {
            remove(&part)?;
            before = 0;
        }
        if before == 0 || source.size != Some(before) {
            let result = self.transfer(file, source, &part, before);
            *gained = length(&part).unwrap_or(0).saturating_sub(before);
            result?;
        }
        if let Some(mismatch) = check(&part, &source.etag, source.size).map_err(Fault::disk(&part))? {
            remove(&part)?;
            return Err(Fault::Damaged { mismatch, resumed: before > 0 });
        }
        // Without this, a power failure could leave a blob of zeros with the right name, which would never be downloaded again.
        File::open(&part).and_then(|file| file.sync_all()).map_err(Fault::disk(&part))?;
        fs::rename(&part, blob).map_err(Fault::disk(blob))
    }

    /// Appends the missing bytes to `part`, which has `before` bytes.
    fn transfer(&self, file: &str, source: &Source, part: &Path, before: u64) -> Result<(), Fault> {
        let answer = self.hub.client.content(file, source, before)?;
        // A server that ignores ranges sends the whole file.
        let mut done = if answer.status() == 206 { before } else { 0 };
        let mut out = File::options().create(true).append(true).open(part).map_err(Fault::disk(part))?;
        out.set_len(done).map_err(Fault::disk(part))?;
        let mut body = answer.into_body().into_reader();
        let mut progress = Progress::new(file, source.size, done);
        let mut buffer = vec![0; 1 << 16];
        let most = source.size.unwrap_or(UNANNOUNCED);
        let stall = self.hub.client.stall;
        let mut minute = (Instant::now(), done);
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::from(ureq::Error::from(error)).at(source.url())),
            };
            done += read as u64;
            // Without this check, the checksum would detect the error only after the disk is full. For a compressed body, the
            // decompressed bytes are counted.
            if done > most {
                drop(out);
                remove(part)?;
                let mismatch = Mismatch { expected: format!("at most {most} bytes"), found: "more".into() };
                return Err(Fault::Damaged { mismatch, resumed: before > 0 });
            }
            out.write_all(&buffer[..read]).map_err(Fault::disk(part))?;
            progress.set(done);
            let (since, at) = minute;
            if since.elapsed() >= stall {
                if ((done - at) as f64) < SLOWEST * stall.as_secs_f64() {
                    return Err(Fault::too_slow(done - at, since.elapsed()));
                }
                minute = (Instant::now(), done);
            }
        }
        // If the answer has no length, a lost connection looks like the end of the body.
        if source.size.is_some_and(|size| done < size) {
            return Err(Fault::early_end());
        }
        progress.finish();
        Ok(())
    }

    /// Locks a part file against other processes that use this library or hf-hub, which uses the same lock.
    ///
    /// On a file system without locks, the download continues without a lock.
    fn lock(&self, path: &Path) -> Option<File> {
        let file = File::options().create(true).append(true).open(path).ok()?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            log::info!("{}: another process is downloading a file of {}; waiting for it", path.display(), self.name.id);
            if let Err(error) = file.lock() {
                log::debug!("{}: {error}", path.display());
            }
        }
        Some(file)
    }
}

/// The length of a file. `None` if it does not exist.
fn length(path: &Path) -> Option<u64> {
    path.metadata().ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

fn remove(path: &Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::disk(path)(error)),
        _ => Ok(()),
    }
}

/// Links `pointer`, which is `depth` levels below its commit's folder, to `blob`.
fn link(blob: &Path, pointer: &Path, depth: usize) -> std::io::Result<()> {
    if let Some(folder) = pointer.parent() {
        fs::create_dir_all(folder)?;
    }
    if pointer.exists() {
        return Ok(());
    }
    // The old link may point to a blob that was removed.
    let _ = fs::remove_file(pointer);
    #[cfg(unix)]
    {
        // The target is relative, so the cache can be moved.
        let mut target: PathBuf = std::iter::repeat_n("..", depth + 1).collect();
        target.push("blobs");
        target.extend(blob.file_name());
        std::os::unix::fs::symlink(target, pointer)
    }
    #[cfg(not(unix))]
    {
        // Symbolic links need a privilege on Windows.
        let _ = depth;
        fs::hard_link(blob, pointer).or_else(|_| fs::copy(blob, pointer).map(drop))
    }
}
