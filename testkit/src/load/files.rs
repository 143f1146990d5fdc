//! What the artifacts of a job cost by themselves: a loop that writes the same files and reads them
//! back.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Broken;
use super::slices::Act;

/// Folders of files, each like the first one that was found.
#[derive(Debug)]
pub(super) struct Files {
    root: Arc<PathBuf>,
    like: Arc<Vec<(String, Vec<u8>)>>,
    count: Arc<AtomicU64>,
}

impl Files {
    /// Beside the artifacts of a kernel, of which any job is the model.
    pub(super) fn like(artifacts: &Path, root: PathBuf) -> Result<Self, Broken> {
        let like = any_folder(artifacts).map_err(Broken::at("the artifacts of a job"))?;
        Ok(Self {
            root: Arc::new(root),
            like: Arc::new(like),
            count: Arc::default(),
        })
    }
}

fn any_folder(artifacts: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let job = fs::read_dir(artifacts)?.next();
    let job = job.ok_or_else(|| io::Error::other("there are none"))??;
    let files = fs::read_dir(job.path())?.map(|file| {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        Ok((name, fs::read(file.path())?))
    });
    files.collect()
}

fn write_and_read(folder: &Path, like: &[(String, Vec<u8>)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, content) in like {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(folder.join(name))?;
        file.write_all(content)?;
    }
    for (name, content) in like {
        if fs::read(folder.join(name))? != *content {
            return Err(io::Error::other("a file does not read as it was written"));
        }
    }
    Ok(())
}

impl Act for Files {
    async fn once(&self, _: usize) -> Result<(), Broken> {
        let (root, like, count) = (self.root.clone(), self.like.clone(), self.count.clone());
        let done = tokio::task::spawn_blocking(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            write_and_read(&root.join(format!("job-{number}")), &like)
        });
        let done = done.await.map_err(Broken::at("a file"))?;
        done.map_err(Broken::at("a file"))
    }
}
