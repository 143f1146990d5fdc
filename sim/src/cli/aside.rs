//! Builds a changed copy of the tree beside it, so that the tree itself is never touched.

use std::path::{Path, PathBuf};
use std::process::Command;

use qrtx_sim::change::{self, Change};
use qrtx_sim::reexec;

/// A build of a changed copy.
pub(super) struct Built {
    pub(super) id: String,
    pub(super) program: PathBuf,
}

/// The tree with a patch.
pub(super) fn patched(patch: &Path) -> Option<Built> {
    let Ok(patch) = patch.canonicalize() else {
        eprintln!("there is no patch {}", patch.display());
        return None;
    };
    let name = patch.file_stem()?.to_string_lossy().into_owned();
    let tree = copy()?;
    // The copy lies within the repository, where git takes a path from its root, finds it outside of
    // the copy, and skips it without a word.
    let applied = Command::new("git")
        .current_dir(&tree)
        .env("GIT_CEILING_DIRECTORIES", tree.parent()?)
        .arg("apply")
        .arg(&patch)
        .status();
    if !applied.is_ok_and(|status| status.success()) {
        eprintln!("{} cannot be applied", patch.display());
        return None;
    }
    let program = build(&tree)?;
    Some(Built { id: name, program })
}

/// Copies with one change each that a machine made.
pub(super) fn machine_made(most: usize) -> impl Iterator<Item = Built> {
    let tree = (most > 0).then(copy).flatten();
    let mut changes = tree.as_deref().map(all_changes).unwrap_or_default();
    changes.truncate(most * 3);
    let mut made = 0;
    changes.into_iter().filter_map(move |change| {
        if made == most {
            return None;
        }
        let tree = copy()?;
        apply(&tree, &change)?;
        // What does not compile is no mistake that anybody could make.
        let program = build(&tree)?;
        made += 1;
        let id = change.to_string();
        Some(Built { id, program })
    })
}

fn all_changes(tree: &Path) -> Vec<Change> {
    let read = |file: &str| {
        #[expect(
            clippy::disallowed_methods,
            reason = "sources are files on the real disk"
        )]
        let text = std::fs::read_to_string(tree.join(file)).unwrap_or_default();
        (file.to_owned(), text)
    };
    change::drawn(change::RULES.iter().map(|file| read(file)))
}

fn apply(tree: &Path, change: &Change) -> Option<()> {
    let path = tree.join(&change.file);
    #[expect(
        clippy::disallowed_methods,
        reason = "sources are files on the real disk"
    )]
    let changed = change.applied(&std::fs::read_to_string(&path).ok()?);
    #[expect(
        clippy::disallowed_methods,
        reason = "sources are files on the real disk"
    )]
    std::fs::write(path, changed).ok()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A fresh copy of every file that git knows or would know.
fn copy() -> Option<PathBuf> {
    let root = root().canonicalize().ok()?;
    let tree = root.join("target/sim/aside");
    let known = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ];
    let listed = Command::new("git")
        .current_dir(&root)
        .args(known)
        .output()
        .ok()?;
    for file in String::from_utf8(listed.stdout)
        .ok()?
        .split('\0')
        .filter(|file| !file.is_empty())
    {
        let (from, to) = (root.join(file), tree.join(file));
        #[expect(
            clippy::disallowed_methods,
            reason = "sources are files on the real disk"
        )]
        let Ok(content) = std::fs::read(&from) else {
            continue;
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "sources are files on the real disk"
        )]
        let same = std::fs::read(&to).is_ok_and(|there| there == content);
        // What is not written is not built again.
        if !same {
            #[expect(
                clippy::disallowed_methods,
                reason = "sources are files on the real disk"
            )]
            std::fs::create_dir_all(to.parent()?)
                .and_then(|()| std::fs::write(&to, content))
                .ok()?;
        }
    }
    Some(tree)
}

fn build(tree: &Path) -> Option<PathBuf> {
    eprintln!("building the changed copy: minutes the first time, then less than one");
    let built = reexec::build_in(tree).output().ok()?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        let why = said
            .lines()
            .find(|line| line.starts_with("error"))
            .unwrap_or("it was killed");
        eprintln!("the changed copy does not build: {why}");
        return None;
    }
    Some(tree.join("target/sim/release/qrtx-sim"))
}
