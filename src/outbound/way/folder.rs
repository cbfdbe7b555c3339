//! A folder of the subscriber, a file for each notice: there whole and durable, or not at all.
//!
//! A repeat replaces the file of its own name, so a notice is there once however often it is
//! written. Names sort as numbers do. One that begins with a dot is still being
//! written, or was left by a kill.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Parcel, Said};
use crate::outbound::gate::LineError;

/// The owner writes, the subscriber's group reads, whatever the mask of the process.
const MODE: u32 = 0o640;

/// A folder that files are put in.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of that path; whether it is there shows at the first notice.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Puts the file of a notice there.
    ///
    /// # Errors
    /// [`LineError::Unreachable`] if it cannot be written: no folder, no room, no leave.
    pub async fn bring(&self, parcel: Parcel) -> Result<Said, LineError> {
        let (folder, subscription) = (self.0.clone(), parcel.subscription);
        let written = tokio::task::spawn_blocking(move || write(&folder, &parcel)).await;
        match written.map_err(|_| LineError::Broken)? {
            Ok(()) => Ok(Said::Taken),
            Err(error) => {
                let kind = error.kind();
                tracing::warn!(%subscription, error.kind = %kind, "no notice can be put there");
                Err(LineError::Unreachable)
            }
        }
    }
}

fn write(folder: &Path, parcel: &Parcel) -> io::Result<()> {
    let Parcel { subscription, number, body, entry: (entry, _), .. } = parcel;
    let name = format!("{subscription}-{number:012}.json");
    // Each try has an entry of its own, so one that was given up for lost cannot write into the
    // file of the next.
    let unfinished = folder.join(format!(".{name}.{entry}.tmp"));
    let written = write_whole(&unfinished, body).and_then(|()| {
        fs::rename(&unfinished, folder.join(&name))?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // What is half written would take the room that is missing.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_whole(path: &Path, body: &[u8]) -> io::Result<()> {
    // New, or not at all: a link that somebody left under this name is not followed.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(body)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::tests::parcel;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_repeat_replaces_its_own_file_and_names_sort_as_numbers_do() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path());
        for (number, entry, body) in [(10, 1, "ten"), (9, 2, "nine"), (9, 3, "nine again")] {
            assert_eq!(folder.bring(parcel(number, entry, body)).await, Ok(Said::Taken));
        }
        let (nine, ten) = ("payments-000000000009.json", "payments-000000000010.json");
        assert_eq!(names(home.path()), [nine, ten]);
        assert_eq!(fs::read_to_string(home.path().join(nine)).unwrap(), "nine again");
        let mode = fs::metadata(home.path().join(nine)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_no_connection() {
        let home = tempfile::tempdir().unwrap();
        let missing = home.path().join("missing");
        let folder = Folder::new(&missing);
        assert_eq!(folder.bring(parcel(1, 1, "x")).await, Err(LineError::Unreachable));
        assert!(!missing.exists());
    }

    #[tokio::test]
    async fn a_link_under_the_unfinished_name_is_not_written_through() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("elsewhere");
        fs::write(&target, "kept").unwrap();
        let shared = home.path().join("shared");
        fs::create_dir(&shared).unwrap();
        let unfinished = shared.join(".payments-000000000001.json.7.tmp");
        std::os::unix::fs::symlink(&target, unfinished).unwrap();
        let folder = Folder::new(&shared);
        assert_eq!(folder.bring(parcel(1, 7, "x")).await, Err(LineError::Unreachable));
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
        assert_eq!(folder.bring(parcel(1, 8, "x")).await, Ok(Said::Taken));
    }
}
