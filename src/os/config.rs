//! What an operator can set, and where: flags, then environment, then `qrtx.toml`, then
//! defaults. The environment names are those that the neighbours' deployment already uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::devices::Policy;
use crate::ids::DeviceId;
use crate::job::event::OnUnknown;
use crate::limits::Limits;
use crate::os::jobs;

/// Settings of a kernel, each of which may be left open.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Where eigen-compiler listens; without it the embedded compiler is used, for OpenQASM and AQO
    #[arg(long, env = "EIGEN_COMPILER_ENDPOINT", value_name = "HOST:PORT")]
    pub compiler: Option<String>,
    /// Where driver-manager listens; without it the embedded device sim:local is used
    #[arg(long, env = "DRIVER_MANAGER_ENDPOINT", value_name = "HOST:PORT")]
    pub driver: Option<String>,
    /// Where artifacts go: a directory, or s3://bucket/prefix [default: circuit_fs]
    #[arg(long, env = "EIGEN_QFS_ROOT", value_name = "DIR|URL")]
    pub qfs_root: Option<String>,
    /// Let each compiled circuit go through the compiler's OptimizeCircuit as well
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub optimize: Option<bool>,
    /// Settings for what is not given here [default: qrtx.toml, if there is one]
    #[arg(long, env = "QRTX_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where the gRPC gateway listens; only in the file, serve has a flag for it.
    #[arg(skip)]
    pub listen: Option<String>,
    /// Where HTTP listens; only in the file, serve has a flag for it.
    #[arg(skip)]
    pub http: Option<String>,
    /// Where jobs are kept; only in the file, serve has a flag for it.
    #[arg(skip)]
    pub store: Option<String>,
    /// The directory of the job store; only in the file, serve has a flag for it.
    #[arg(skip)]
    pub data_dir: Option<String>,
    /// Memory for pages of the job store, in MiB; only in the file.
    #[arg(skip)]
    pub store_cache_mib: Option<u32>,
    /// Bounds; only in the file.
    #[arg(skip)]
    pub limits: Option<Limits>,
    /// Devices by id; only in the file.
    #[arg(skip)]
    pub devices: BTreeMap<DeviceId, DeviceOptions>,
}

/// What an operator decides about one device.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceOptions {
    /// Jobs it may run at a time.
    pub slots: Option<u32>,
    /// What to do when the outcome of an execution stays unknown: `fail` or `rerun`.
    pub on_unknown_outcome: Option<OnUnknown>,
}

/// Where a kernel that serves keeps its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// On disk, in the data directory.
    Redb,
    /// Nowhere: they are forgotten when the kernel ends.
    Memory,
}

/// Settings with nothing left open.
#[derive(Debug, Clone)]
pub struct Config {
    /// As a URL; `None` for the embedded compiler.
    pub compiler: Option<String>,
    /// As a URL; `None` for the embedded device.
    pub driver: Option<String>,
    /// A directory or a URL.
    pub qfs_root: String,
    /// Where jobs are kept.
    pub store: StoreKind,
    /// The directory of the job store.
    pub data_dir: String,
    /// Memory for pages of the job store, in MiB.
    pub store_cache_mib: u32,
    /// Whether circuits go through OptimizeCircuit.
    pub optimize: bool,
    /// `host:port` of the gRPC gateway.
    pub listen: String,
    /// `host:port` of HTTP.
    pub http: String,
    /// The bounds.
    pub limits: Limits,
    /// What is decided about devices.
    pub devices: Policy,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("{file}: {source}; leave --config out to do without")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{file}: {source}")]
    Malformed {
        /// The file.
        file: String,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A bound that nothing can keep.
    #[error("[limits]: {0}")]
    Limit(String),
    /// A value makes no sense.
    #[error("{setting} is {value:?}: {reason}")]
    Value {
        /// Which.
        setting: &'static str,
        /// The value.
        value: String,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
}

const FILE: &str = "qrtx.toml";

impl Options {
    /// Fills what is open from the file, then from the defaults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(file) if !file.as_os_str().is_empty() => read(file)?,
            _ if Path::new(FILE).exists() => read(Path::new(FILE))?,
            _ => Self::default(),
        };
        // A variable that is set to nothing is not set.
        let pick = |ours: Option<String>, theirs: Option<String>| {
            [ours, theirs]
                .into_iter()
                .flatten()
                .map(|text| text.trim().to_owned())
                .find(|text| !text.is_empty())
        };
        let store = match pick(self.store, file.store) {
            None => StoreKind::Redb,
            Some(store) => store_kind(store)?,
        };
        let limits = file.limits.unwrap_or_default();
        limits.check().map_err(ConfigError::Limit)?;
        let mut devices = Policy::default();
        for (device, decided) in file.devices {
            devices
                .slots
                .extend(decided.slots.map(|slots| (device.clone(), slots)));
            devices
                .on_unknown_outcome
                .extend(decided.on_unknown_outcome.map(|on| (device, on)));
        }
        Ok(Config {
            compiler: url("--compiler", pick(self.compiler, file.compiler))?,
            driver: url("--driver", pick(self.driver, file.driver))?,
            qfs_root: pick(self.qfs_root, file.qfs_root).unwrap_or_else(|| "circuit_fs".into()),
            store,
            data_dir: pick(self.data_dir, file.data_dir).unwrap_or_else(|| "qrtx-data".into()),
            store_cache_mib: file.store_cache_mib.unwrap_or(jobs::CACHE_MIB),
            optimize: self.optimize.or(file.optimize).unwrap_or(false),
            listen: address(
                "--listen",
                pick(self.listen, file.listen),
                "127.0.0.1:50052",
            )?,
            http: address("--http", pick(self.http, file.http), "127.0.0.1:9091")?,
            limits,
            devices,
        })
    }
}

fn read(file: &Path) -> Result<Options, ConfigError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
        file: name.clone(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| ConfigError::Malformed {
        file: name,
        source: Box::new(source),
    })
}

fn store_kind(value: String) -> Result<StoreKind, ConfigError> {
    match value.as_str() {
        "redb" => Ok(StoreKind::Redb),
        "memory" => Ok(StoreKind::Memory),
        _ => Err(ConfigError::Value {
            setting: "--store",
            value,
            reason: "it must be redb (on disk) or memory (forgets when the kernel ends)",
        }),
    }
}

/// An endpoint with or without its scheme: the neighbours' deployment has both forms.
///
/// # Errors
/// A value that is none, told with the name of its setting.
pub fn url(setting: &'static str, given: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(value) = given else { return Ok(None) };
    let reason = if value.starts_with("https://") {
        "this version has no TLS; use http:// inside a trusted network"
    } else {
        let url = match value.strip_prefix("http://") {
            Some(_) => value.clone(),
            None => format!("http://{value}"),
        };
        let port = url.parse::<http::Uri>().ok().and_then(|uri| uri.port_u16());
        if port.is_some() {
            return Ok(Some(url));
        }
        "it must be host:port, for example 127.0.0.1:50052"
    };
    Err(ConfigError::Value {
        setting,
        value,
        reason,
    })
}

/// Where to listen, with or without a scheme; port 0 is any that is free.
fn address(
    setting: &'static str,
    given: Option<String>,
    default: &str,
) -> Result<String, ConfigError> {
    let given = given.unwrap_or_else(|| default.to_owned());
    let address = given.strip_prefix("http://").unwrap_or(&given);
    let address = address.trim_end_matches('/');
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(address.to_owned())
        }
        _ => Err(ConfigError::Value {
            setting,
            value: given,
            reason: "it must be host:port, for example 127.0.0.1:50052",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(setting: &'static str, value: &str) -> String {
        url(setting, Some(value.to_owned()))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn endpoints_are_taken_with_and_without_a_scheme() {
        let with = url("--driver", Some("http://dm:50054".to_owned())).unwrap();
        assert_eq!(with, url("--driver", Some("dm:50054".to_owned())).unwrap());
        assert!(refused("--driver", "dm").contains("host:port"));
        assert!(refused("--driver", "https://dm:1").contains("no TLS"));
        let listen = |given: &str| address("--listen", Some(given.to_owned()), "");
        assert_eq!(listen("http://0.0.0.0:50052").unwrap(), "0.0.0.0:50052");
        assert_eq!(listen("[::1]:0").unwrap(), "[::1]:0");
        for wrong in ["foo", "127.0.0.1:99999", "127.0.0.1:", ":50052", "a:b"] {
            assert!(listen(wrong).unwrap_err().to_string().contains("host:port"));
        }
    }

    #[test]
    fn the_example_file_is_what_the_kernel_reads_and_names_every_limit() {
        let text = include_str!("../../deploy/qrtx.toml");
        let read: Options = toml::from_str(text).unwrap();
        assert_eq!(read.store_cache_mib, Some(jobs::CACHE_MIB));
        let defaults = toml::Value::try_from(Limits::default()).unwrap();
        let read = toml::Value::try_from(read.limits.unwrap()).unwrap();
        assert_eq!(read, defaults, "the example shows the defaults");
        for name in defaults.as_table().unwrap().keys() {
            assert!(
                text.contains(&format!("\n{name} = ")),
                "{name} is not in the example"
            );
        }
    }
}
