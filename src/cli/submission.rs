//! The flags that describe a job, and the request that they make.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::problem::Problem;
use crate::cli::text;
use crate::grpc::proto::kernel as wire;
use crate::job::spec::ProgramFormat;
use crate::limits::{JOB_TIMEOUT_MAX, NAME_CHARS_MAX, REQUEST_BYTES_MAX};

/// What a job shall do.
#[derive(Debug, clap::Args)]
pub(super) struct Submission {
    /// The program: *.qasm for OpenQASM 2 or 3, *.json for a circuit as AQO, *.py for
    /// Eigen-Lang, - for stdin
    file: PathBuf,
    /// How often the circuit is measured [default: 1024]
    #[arg(long, value_name = "N", value_parser = text::parse_whole::<i64>, allow_hyphen_values = true)]
    shots: Option<i64>,
    /// Makes a simulator give the same counts again
    #[arg(long, value_name = "N", value_parser = text::parse_whole::<i64>, allow_hyphen_values = true)]
    seed: Option<i64>,
    /// The device that shall run it, or a class of which the first that is free does:
    /// backend:simulator, 'sim:*', or '*' for any; behind it may stand what the device must have,
    /// as in '*?qubits=20&ops=CX,RZ'
    #[arg(long, value_name = "DEVICE", default_value = "sim:local")]
    target: String,
    /// 0 to 100, higher is more urgent [default: 50]
    #[arg(long, value_name = "N", value_parser = text::parse_whole::<i32>, allow_hyphen_values = true)]
    priority: Option<i32>,
    /// The value of a symbolic angle; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair, allow_hyphen_values = true)]
    parameters: Vec<(String, String)>,
    /// How long the job may take, in seconds [default: one day]
    #[arg(long, value_name = "SECONDS", value_parser = timeout, allow_hyphen_values = true)]
    timeout: Option<prost_types::Duration>,
    /// What people call the job [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// The program's format, where the file's name does not tell: qasm3, qasm_text (OpenQASM 2),
    /// aqo_json, aqo_ref, eigen_lang_source
    #[arg(long, value_parser = format_named)]
    format: Option<String>,
    /// A note that stays with the job; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    metadata: Vec<(String, String)>,
    /// Handed to the compiler; may be repeated
    #[arg(long = "compiler-option", value_name = "NAME=VALUE", value_parser = setting)]
    compiler_options: Vec<(String, String)>,
}

type Pair = Result<(String, String), String>;

fn pair(text: &str) -> Pair {
    pair_like(text, "theta=0.59")
}

fn note(text: &str) -> Pair {
    pair_like(text, "run=nightly-17")
}

fn setting(text: &str) -> Pair {
    pair_like(text, "level=2")
}

fn pair_like(text: &str, example: &str) -> Pair {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("it must be NAME=VALUE, for example {example}")),
    }
}

fn format_named(name: &str) -> Result<String, String> {
    let known = ProgramFormat::ALL.map(ProgramFormat::name);
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("it must be one of {}", known.join(", "))),
    }
}

impl Submission {
    /// Reads the program, and makes the request. What else is wrong with it, the kernel says.
    pub(super) fn request(self) -> Result<wire::EnqueueJobRequest, Problem> {
        let program = read(&self.file)?;
        let program_format = match self.format {
            Some(format) => format,
            None => format_of(&self.file, &program)?.to_owned(),
        };
        check(&self.file, &program)?;
        let parameters = self.parameters.into_iter();
        let parameters = parameters.map(|(name, value)| (format!("param.{name}"), value));
        let metadata = unique("--metadata", self.metadata.into_iter().chain(parameters))?;
        Ok(wire::EnqueueJobRequest {
            name: self.name.unwrap_or_else(|| name_of(&self.file)),
            program,
            program_format,
            target: self.target,
            priority: self.priority,
            shots: self.shots,
            seed: self.seed,
            compiler_options: unique("--compiler-option", self.compiler_options.into_iter())?,
            metadata,
            timeout: self.timeout,
            ..wire::EnqueueJobRequest::default()
        })
    }
}

/// Of two values for one name the kernel would see only one.
fn unique(
    flag: &str,
    pairs: impl Iterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        if map.insert(name.clone(), value).is_some() {
            let shown = match name.strip_prefix("param.") {
                Some(parameter) => format!("--param {parameter}"),
                None => format!("{flag} {name}"),
            };
            let message = format!("{shown} is given twice; give it once");
            return Err(Problem::usage(message));
        }
    }
    Ok(map)
}

fn timeout(text: &str) -> Result<prost_types::Duration, String> {
    let most = JOB_TIMEOUT_MAX;
    let span = text.trim().parse().ok().map(Duration::try_from_secs_f64);
    let span = span.and_then(Result::ok).filter(|span| *span <= most);
    let span = span.filter(|span| span.as_millis() > 0);
    span.and_then(|span| prost_types::Duration::try_from(span).ok())
        .ok_or_else(|| {
            let most = most.as_secs();
            format!("it must be a number of seconds from 0.001 to {most}")
        })
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn name_of(file: &Path) -> String {
    match file.file_name() {
        Some(name) if !is_stdin(file) => {
            // The kernel takes no name that could steer a terminal, or is longer than a line.
            let name = text::one_line(&name.to_string_lossy());
            name.chars().take(NAME_CHARS_MAX).collect()
        }
        _ => "stdin".to_owned(),
    }
}

/// A file may have no end; more than a kernel would read is not read.
fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    let mut program = Vec::new();
    let most = REQUEST_BYTES_MAX as u64;
    let read = if is_stdin(file) {
        std::io::stdin().take(most).read_to_end(&mut program)
    } else {
        let opened = std::fs::File::open(file);
        opened.and_then(|opened| opened.take(most).read_to_end(&mut program))
    };
    let shown = shown(file);
    match read {
        Err(why) => Err(Problem::usage(format!("{shown} cannot be read: {why}"))),
        Ok(bytes) if bytes as u64 == most => Err(Problem::usage(format!(
            "{shown} has {most} bytes or more; no program may be that large"
        ))),
        Ok(_) => Ok(program),
    }
}

/// The kernel would say the same, but not of which file.
fn check(file: &Path, program: &[u8]) -> Result<(), Problem> {
    let shown = shown(file);
    if program.is_empty() {
        return Err(Problem::usage(format!("{shown} is empty")));
    }
    std::str::from_utf8(program).map(drop).map_err(|bad| {
        let (line, column) = place(program, bad.valid_up_to());
        Problem::usage(format!(
            "{shown} is not UTF-8 at line {line}, column {column}: save it as UTF-8"
        ))
    })
}

fn shown(file: &Path) -> String {
    match is_stdin(file) {
        true => "stdin".to_owned(),
        false => file.display().to_string(),
    }
}

/// Line and column, from 1, of what stands behind so many bytes of a text.
fn place(text: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(&text[..at]);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn format_of(file: &Path, program: &[u8]) -> Result<&'static str, Problem> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("qasm") => Ok(qasm_format(program)),
        Some("json") => Ok("aqo_json"),
        Some("py") => Ok("eigen_lang_source"),
        _ if is_stdin(file) => Err(Problem::usage(
            "what comes from stdin does not tell its format; say it with --format",
        )),
        _ => Err(Problem::usage(format!(
            "{} does not tell its format by its name (*.qasm, *.json or *.py); say it with --format",
            file.display()
        ))),
    }
}

/// OpenQASM tells its version in its first statement; without one it is version 3.
fn qasm_format(program: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(program);
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        rest = match (rest.strip_prefix("//"), rest.strip_prefix("/*")) {
            (Some(comment), _) => comment.split_once('\n').map_or("", |(_, rest)| rest),
            (_, Some(comment)) => comment.split_once("*/").map_or("", |(_, rest)| rest),
            _ => break,
        }
        .trim_start();
    }
    let version = rest
        .strip_prefix("OPENQASM")
        .filter(|version| version.starts_with(char::is_whitespace));
    let version = version.map(|version| version.trim_start().trim_start_matches('0'));
    let major = version.and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next());
    match major {
        Some("2") => "qasm_text",
        _ => "qasm3",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_statement_tells_openqasm_2_from_3() {
        let two = [
            "OPENQASM 2.0;\ninclude \"qelib1.inc\";",
            "OPENQASM 2;",
            "  // OPENQASM 3;\n/* OPENQASM 3; */\n\tOPENQASM\n 2.0 ;",
            "\u{feff}OPENQASM 2.0;",
        ];
        let three = [
            "OPENQASM 3.0;\nqubit q;",
            "OPENQASM 3;",
            "qubit q; // OPENQASM 2.0;",
            "// OPENQASM 2.0;",
            "/* OPENQASM 2.0; ",
            "OPENQASM 20;",
            "OPENQASM2.0;",
            "OPENQASM",
            "/",
            "",
        ];
        for text in two {
            assert_eq!(qasm_format(text.as_bytes()), "qasm_text", "{text:?}");
        }
        for text in three {
            assert_eq!(qasm_format(text.as_bytes()), "qasm3", "{text:?}");
        }
        assert_eq!(qasm_format(b"// \xff\xfe\nOPENQASM 2.0;"), "qasm_text");
    }

    #[test]
    fn the_files_name_tells_its_format() {
        let told = |name: &str| format_of(Path::new(name), b"OPENQASM 2.0;").ok();
        assert_eq!(told("a/bell.qasm"), Some("qasm_text"));
        assert_eq!(told("bell.AQO.JSON"), Some("aqo_json"));
        assert_eq!(told("job.py"), Some("eigen_lang_source"));
        for name in ["bell", "-", "bell.txt", "json", ".qasm"] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn the_place_of_a_byte_is_its_line_and_its_column_in_characters() {
        assert_eq!(place(b"\xff", 0), (1, 1));
        assert_eq!(place("a\né\u{1}".as_bytes(), 4), (2, 2));
        assert_eq!(place(b"a\n", 2), (2, 1));
    }

    #[test]
    fn a_job_is_called_like_its_file_without_what_steers_a_terminal() {
        assert_eq!(name_of(Path::new("a/b\u{1b}[2J.qasm")), "b\u{fffd}[2J.qasm");
        let long = "x".repeat(1000);
        assert_eq!(name_of(Path::new(&long)).len(), NAME_CHARS_MAX);
        assert_eq!(name_of(Path::new("-")), "stdin");
    }

    #[test]
    fn a_timeout_is_a_span_that_a_kernel_takes() {
        let most = JOB_TIMEOUT_MAX.as_secs().to_string();
        for fine in ["0.001", " 60 ", &most] {
            assert!(timeout(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "0", "-1", "1e-9", "1e99", "inf", "nan", "soon"] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_without_a_value_or_with_two_is_refused() {
        assert_eq!(pair("theta=-0.5"), Ok(("theta".into(), "-0.5".into())));
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(pair("theta").is_err() && pair("=1").is_err());
        let twice = [
            ("param.a".to_owned(), "1".to_owned()),
            ("param.a".to_owned(), "2".to_owned()),
        ];
        let refused = unique("--metadata", twice.into_iter()).unwrap_err();
        assert_eq!(refused.message, "--param a is given twice; give it once");
    }
}
