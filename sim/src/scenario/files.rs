//! Scenarios in files: the repository's own, and any other.

use std::path::{Path, PathBuf};

use super::Scenario;

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a name nor a path.
    #[error("there is no scenario {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read or written.
    #[error("{path} cannot be read or written: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no scenario.
    #[error("{path} is no scenario: {reason}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The scenario is about something that is not there yet.
    #[error("{name} waits for issue {issue}")]
    Waits {
        /// The scenario.
        name: String,
        /// What brings it.
        issue: u32,
    },
}

impl Scenario {
    /// The scenario of that name, or in that file.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(name: &str) -> Result<Self, LoadError> {
        let ours =
            [folder(), folder().join("regressions")].map(|at| at.join(format!("{name}.toml")));
        let path = ours.into_iter().find(|path| path.is_file());
        let path = path.unwrap_or_else(|| PathBuf::from(name));
        if !path.is_file() && name.contains(['/', '.']) {
            let why = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(unreadable(&path, why));
        }
        if !path.is_file() {
            let known: Vec<_> = all()?.into_iter().map(|scenario| scenario.id).collect();
            return Err(LoadError::Unknown {
                name: name.to_owned(),
                known: format!("random, {}", known.join(", ")),
            });
        }
        let scenario = Self::read(&path)?;
        match scenario.waits_for {
            Some(issue) => Err(LoadError::Waits {
                name: scenario.id,
                issue,
            }),
            None => Ok(scenario),
        }
    }

    fn read(path: &Path) -> Result<Self, LoadError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a scenario is a file on the real disk"
        )]
        let text = std::fs::read_to_string(path).map_err(|why| unreadable(path, why))?;
        let invalid = |reason| LoadError::Invalid {
            path: path.to_owned(),
            reason,
        };
        let mut scenario: Self = toml::from_str(&text).map_err(|why| invalid(why.to_string()))?;
        let ours = path
            .parent()
            .is_some_and(|at| at == folder() || at == folder().join("regressions"));
        let named = path
            .file_stem()
            .is_some_and(|stem| stem == scenario.id.as_str());
        // A log of a run may lie under any name.
        if ours && !named {
            let unlike = format!("its id is {:?}, unlike its name", scenario.id);
            return Err(invalid(unlike));
        }
        scenario.check().map_err(invalid)?;
        scenario.called = match ours {
            true => scenario.id.clone(),
            false => path.display().to_string(),
        };
        Ok(scenario)
    }
}

/// Whether a file can be written there: its folder is made if there is none.
///
/// # Errors
/// [`LoadError::Unreadable`].
pub fn make_room(path: &Path) -> Result<(), LoadError> {
    if path.is_dir() {
        let why = std::io::Error::from(std::io::ErrorKind::IsADirectory);
        return Err(unreadable(path, why));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a scenario is a file on the real disk"
    )]
    let made = match path.parent() {
        None => Ok(()),
        Some(folder) => std::fs::create_dir_all(folder),
    };
    made.map_err(|why| unreadable(path, why))
}

/// Where a regression of that name lies.
pub fn regression(name: &str) -> PathBuf {
    folder().join("regressions").join(format!("{name}.toml"))
}

/// Writes a scenario where the path says, under a `# ` line per line of `head`.
///
/// # Errors
/// [`LoadError::Unreadable`].
pub fn write(scenario: &Scenario, path: &Path, head: &str) -> Result<(), LoadError> {
    let mut text: String = head.lines().map(|line| format!("# {line}\n")).collect();
    text += &toml::to_string(scenario).expect("a scenario has a TOML form");
    #[expect(
        clippy::disallowed_methods,
        reason = "a scenario is a file on the real disk"
    )]
    std::fs::write(path, text).map_err(|why| unreadable(path, why))
}

fn unreadable(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fault-scenarios");
    folder.canonicalize().unwrap_or(folder)
}

/// Every scenario of this repository, by name; those that wait are among them.
///
/// # Errors
/// [`LoadError`].
pub fn all() -> Result<Vec<Scenario>, LoadError> {
    read_all(&folder())
}

/// Every run that was red once, by name.
///
/// # Errors
/// [`LoadError`].
pub fn regressions() -> Result<Vec<Scenario>, LoadError> {
    let folder = folder().join("regressions");
    if folder.is_dir() {
        read_all(&folder)
    } else {
        Ok(Vec::new())
    }
}

fn read_all(folder: &Path) -> Result<Vec<Scenario>, LoadError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|why| unreadable(folder, why))? {
        let path = entry.map_err(|why| unreadable(folder, why))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Scenario::read(path)).collect()
}
