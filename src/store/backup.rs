//! 备份, a copy of a store as it stands at one moment, taken while it is written.
//!
//! What was deleted is not in the copy: the database is written anew from its rows.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::settings::Settings;
use super::sql::Error;
use super::{base, file, packs};

/// Copies the database and the versions of mappings and policies that served into a new folder;
/// the files that are there then, by their paths in it.
///
/// # Errors
/// [`StoreError::Folder`] if the new folder is there already or cannot be written,
/// [`StoreError::Sql`].
pub fn copy(folder: &Path, to: &Path) -> Result<Vec<PathBuf>, StoreError> {
    file::private_folder(to.parent().unwrap_or(to)).map_err(StoreError::Folder)?;
    fs::create_dir(to).map_err(StoreError::Folder)?;
    file::private_folder(to).map_err(StoreError::Folder)?;
    let copied = file::database(to);
    let connection = file::reader(&file::database(folder), 4096)?;
    connection.copy_into(&copied)?;
    check(&Settings::of(to))?;
    let mut files = vec![PathBuf::from(copied.file_name().unwrap_or_default())];
    files.extend(packs::copy(folder, to).map_err(StoreError::Folder)?);
    files.sort();
    files.iter().try_for_each(|path| sync(&to.join(path))).map_err(StoreError::Folder)?;
    Ok(files)
}

/// Whether a store is whole, every page, and every index with its table; `false` if that is for
/// its server to say.
///
/// # Errors
/// [`StoreError::Damaged`] if it is not, [`StoreError::Sql`].
pub fn check(settings: &Settings) -> Result<bool, StoreError> {
    let connection = base::reader(settings, 4096)?;
    match connection.is_whole() {
        Ok(true) => Ok(true),
        Ok(false) => Err(StoreError::Damaged),
        Err(Error::NoFile) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes a file and its name to the disk for good.
///
/// # Errors
/// Those of the system.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
