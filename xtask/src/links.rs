//! The links in the pages of this repository: a link to a file, or to a heading of a page, must lead
//! there, and a source that is named by its path must exist. Links to other sites are not followed,
//! because a check must not need the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::shell;

/// A path in a page's code names a source if it begins with one of these.
const SOURCES: [&str; 4] = ["crates/", "xtask/", "peers/", "fuzz/"];

/// The links of a page, and the anchors that it has.
#[derive(Debug, Default, PartialEq)]
struct Page {
    targets: Vec<String>,
    /// Paths from the workspace's root, named in code.
    sources: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Fails if a link leads nowhere, and names each that does.
pub(crate) fn check() -> Result<()> {
    let mut pages = BTreeMap::new();
    for path in paths()? {
        let text = std::fs::read_to_string(shell::root().join(&path))
            .with_context(|| format!("can't read {}", path.display()))?;
        pages.insert(path, Page::read(&text));
    }
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for target in page.targets.iter().filter(|target| !is_elsewhere(target)) {
            if let Err(why) = follow(path, target, &pages) {
                broken.push(format!("  {}: {target}: {why}", path.display()));
            }
        }
        for source in page.sources.iter().filter(|source| !shell::root().join(source).exists()) {
            broken.push(format!("  {}: {source}: there is no such file", path.display()));
        }
    }
    if !broken.is_empty() {
        bail!("links and paths that lead nowhere:\n{}", broken.join("\n"));
    }
    Ok(())
}

/// The pages that git knows or would add, relative to the workspace's root.
fn paths() -> Result<Vec<PathBuf>> {
    let listed = shell::output(shell::command("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "*.md",
    ]))?;
    let exists = |path: &PathBuf| shell::root().join(path).exists();
    Ok(listed.lines().map(PathBuf::from).filter(exists).collect())
}

fn is_elsewhere(target: &str) -> bool {
    ["https:", "http:", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// Looks where a link in the page at `path` leads.
fn follow(path: &Path, target: &str, pages: &BTreeMap<PathBuf, Page>) -> Result<(), &'static str> {
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (target, None),
    };
    let found = if file.is_empty() {
        path.to_owned()
    } else {
        let folder = path.parent().unwrap_or(Path::new(""));
        let found = within(&folder.join(file)).ok_or("it leaves the repository")?;
        if !shell::root().join(&found).exists() {
            return Err("there is no such file");
        }
        found
    };
    let Some(anchor) = anchor else { return Ok(()) };
    let page = pages.get(&found).ok_or("only a page has headings")?;
    if page.anchors.contains(anchor) { Ok(()) } else { Err("the page has no such heading") }
}

/// A path without `..`; `None` if it leads out of the folder that it is relative to.
fn within(path: &Path) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => found.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !found.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(found)
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.targets.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    if let Some(heading) = heading.take() {
                        page.add_anchor(&slug(&heading));
                    }
                }
                Event::Code(text) if heading.is_none() => page.add_source(&text),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    fn add_source(&mut self, code: &str) {
        let is_path = !code.contains(char::is_whitespace);
        if is_path && SOURCES.iter().any(|folder| code.starts_with(folder)) {
            self.sources.push(code.to_owned());
        }
    }

    /// A second heading of the same words gets a number, as on GitHub.
    fn add_anchor(&mut self, slug: &str) {
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let mut names = std::iter::once(slug.to_owned()).chain(numbered);
        let is_free = |name: &String| !self.anchors.contains(name);
        self.anchors.extend(names.find(is_free));
    }
}

/// The name that GitHub gives to a heading.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_headings_are_found_and_code_is_not() {
        let page = Page::read(
            "# Exit `codes`, all\n`crates/x.rs`, `crates/x y`, `x.rs`, [a](b.md#c) and ![d](e.svg)\n\n    [no](code)\n\n# Twice\n# Twice\n",
        );
        assert_eq!(page.targets, ["b.md#c", "e.svg"]);
        assert_eq!(page.sources, ["crates/x.rs"]);
        let anchors: Vec<_> = page.anchors.iter().collect();
        assert_eq!(anchors, ["exit-codes-all", "twice", "twice-1"]);
    }

    #[test]
    fn a_link_must_lead_to_a_file_and_to_a_heading_in_it() {
        let mut pages = BTreeMap::new();
        pages.insert(PathBuf::from("README.md"), Page::read("# Try it"));
        pages.insert(PathBuf::from("docs/page.md"), Page::read("# Here"));
        let from_docs = |target| follow(Path::new("docs/page.md"), target, &pages);
        for good in ["#here", "../README.md", "../README.md#try-it", "../crates"] {
            assert_eq!(from_docs(good), Ok(()), "{good}");
        }
        for bad in ["#there", "README.md", "../README.md#try", "../../x", "/etc", "../crates#a"] {
            assert!(from_docs(bad).is_err(), "{bad}");
        }
    }
}
