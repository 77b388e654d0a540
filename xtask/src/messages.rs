//! `docs/troubleshooting.md` has every message: an error or a warning that is added to the sources
//! without a word on the page fails the check.
//!
//! The sources are scanned and not compiled: the messages are the literals of `#[error("...")]` in
//! all crates, and those of core's warnings. Of each message the page must have the longest part
//! without a placeholder that its first clause has; the clause after a semicolon says what to do, and
//! the page may say that in other words.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::{shell, sources};

const PAGE: &str = "docs/troubleshooting.md";
/// The beginning of a variant's error, and of an error that passes another one on.
const ERROR: &str = "#[error(";
const TRANSPARENT: &str = "#[error(transparent)]";
/// The source of the warnings has this in it.
const WARNINGS: &str = "pub enum Warning {";
/// A literal with fewer words is a piece of a warning and no sentence.
const WORDS_OF_A_WARNING: usize = 5;

/// A fragment with fewer words may be on the page by chance.
const FEW_WORDS: usize = 3;

/// Fragments that the page does not have, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("the visualization URL has no `#`: copy the whole URL, its data come after the `#", UNREAD),
    ("parts after the `#`: a result has 3, a comparison 8", UNREAD),
    ("after the URL's `#` is damaged: copy the whole URL", UNREAD),
    ("costs: the numbers must be equal", UNREAD),
    ("the visualization URL", UNREAD),
];
const UNREAD: &str = "no command reads the URL of a visualization";

/// Fails if a message is not on the page, and names each with its source.
pub(crate) fn check() -> Result<()> {
    let page = fs::read_to_string(shell::root().join(PAGE)).with_context(|| PAGE.to_owned())?;
    let messages = messages()?;
    let unused: Vec<_> = EXCEPTIONS
        .iter()
        .filter(|(excepted, _)| !messages.iter().any(|message| message.fragment == *excepted))
        .collect();
    if !unused.is_empty() {
        bail!("exceptions of the messages on {PAGE} that no message needs any more: {unused:?}");
    }
    let page = words(&page);
    let missing: Vec<_> = messages
        .iter()
        .filter(|message| !EXCEPTIONS.iter().any(|(excepted, _)| message.fragment == *excepted))
        .filter(|message| !page.contains(&words(&message.fragment)))
        .map(|message| format!("  {}: {}", message.source, message.fragment))
        .collect();
    if !missing.is_empty() {
        bail!("{PAGE} has to say what these messages mean:\n{}", missing.join("\n"));
    }
    Ok(())
}

struct Message {
    /// The file that has it.
    source: String,
    /// The part that the page must have.
    fragment: String,
}

fn messages() -> Result<Vec<Message>> {
    let crates = shell::root().join("crates");
    let mut found = Vec::new();
    let mut has_warnings = false;
    for entry in crates.read_dir().context("can't list the crates")? {
        for (path, text) in sources::of(&entry?.path().join("src"))? {
            let mut texts = errors(&text).with_context(|| path.display().to_string())?;
            if text.contains(WARNINGS) {
                has_warnings = true;
                texts.extend(warnings(&text));
            }
            let source = shown(&path);
            let fragments = texts.iter().filter_map(|text| fragment(text));
            found.extend(fragments.map(|fragment| Message { source: source.clone(), fragment }));
        }
    }
    if !has_warnings {
        bail!("no source has `{WARNINGS}`: where are the warnings?");
    }
    Ok(found)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(shell::root()).unwrap_or(path).display().to_string()
}

/// The messages of the errors in a source.
///
/// # Errors
/// When one of them is not a plain literal, so that it could not be read.
fn errors(source: &str) -> Result<Vec<String>> {
    let found: Vec<_> = literals(source)
        .into_iter()
        .filter(|literal| source[..literal.start].trim_end().ends_with(ERROR))
        .map(|literal| literal.text)
        .collect();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let lines: Vec<_> = source.lines().filter(is_code).collect();
    let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    let expected = count(ERROR) - count(TRANSPARENT);
    if found.len() != expected {
        bail!("{expected} error attributes, and {} of them have a literal", found.len());
    }
    Ok(found)
}

/// The sentences in the source of the warnings.
fn warnings(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let texts = literals(source).into_iter().map(|literal| literal.text);
    texts.filter(|text| text.split_whitespace().count() >= WORDS_OF_A_WARNING).collect()
}

/// A string literal, as it reads, and where in the source it begins.
struct Literal {
    start: usize,
    text: String,
}

fn literals(source: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    let mut rest = source.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        match c {
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            // A raw literal is no message.
            'r' if raw_end(source, start).is_some() => {
                let end = raw_end(source, start).unwrap_or_default();
                while rest.next_if(|(at, _)| *at < end).is_some() {}
            }
            // A character, and not a lifetime.
            '\'' if source[start..].starts_with("'\"'") => {
                rest.next();
                rest.next();
            }
            '\'' if source[start..].starts_with("'\\") => {
                rest.next();
                rest.next();
                while rest.next_if(|(_, c)| *c != '\'').is_some() {}
                rest.next();
            }
            '"' => {
                let mut text = String::new();
                while let Some((_, c)) = rest.next() {
                    match c {
                        '"' => break,
                        '\\' => match rest.next() {
                            Some((_, '\n')) => {
                                while rest.next_if(|(_, c)| c.is_whitespace()).is_some() {}
                            }
                            Some((_, 'n' | 't')) => text.push('\n'),
                            Some((_, escaped)) => text.push(escaped),
                            None => {}
                        },
                        c => text.push(c),
                    }
                }
                found.push(Literal { start, text });
            }
            _ => {}
        }
    }
    found
}

/// The end of the raw literal that begins at `start`, if one does.
fn raw_end(source: &str, start: usize) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if source[..start].ends_with(is_word) {
        return None;
    }
    let (hashes, _) = source[start + 1..].split_once('"')?;
    if !hashes.chars().all(|c| c == '#') {
        return None;
    }
    let text = start + 1 + hashes.len() + 1;
    let close = format!("\"{hashes}");
    Some(text + source[text..].find(&close)? + close.len())
}

/// The longest part of a message's first clause that is the same each time. If it has few words, many
/// messages could have them, so that the whole clause counts, with `…` for what differs. `None` if
/// the message has no letter of its own.
fn fragment(message: &str) -> Option<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    let mut rest = message.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' | '}' if rest.peek() == Some(&c) && depth == 0 => {
                rest.next();
                parts.last_mut()?.push(c);
            }
            '{' => {
                depth += 1;
                parts.push(String::new());
            }
            '}' => depth -= 1,
            _ if depth > 0 => {}
            ';' | '\n' if parts.iter().any(|part| has_words(part)) => break,
            c => parts.last_mut()?.push(c),
        }
    }
    let outer = |c: char| c.is_whitespace() || ",;:.()`'\"".contains(c);
    let longest =
        parts.iter().map(|part| part.trim_matches(outer)).max_by_key(|part| part.len())?;
    if longest.split_whitespace().count() < FEW_WORDS {
        return has_words(longest).then(|| parts.join("…").replace("……", "…"));
    }
    Some(longest.to_owned())
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// A text without the marks of Markdown, each gap a blank.
fn words(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !"`\\".contains(*c)).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_from_the_source() {
        let source = r#"
            // A comment with #[error("no")] in it.
            #[error("a {b} of \"c\"")]
            #[error(
                "two \
                 lines"
            )]
            #[error(transparent)]
            fn quote() -> char { '"' }
            const RAW: &str = r"it ends with \"; const END: char = '\'';
            const OTHER: &str = "no error";
        "#;
        assert_eq!(errors(source).unwrap(), ["a {b} of \"c\"", "two lines"]);
    }

    #[test]
    fn an_error_that_can_not_be_read_is_one() {
        assert!(errors("#[error(TEXT)]").is_err());
        assert!(errors("#[error(transparent)]").unwrap().is_empty());
    }

    #[test]
    fn a_fragment_is_the_longest_fixed_part_of_the_first_clause() {
        let of = |message| fragment(message).unwrap_or_default();
        assert_eq!(of("{what} is not there {since:?} any more; look for it"), "is not there");
        assert_eq!(of("the function can't be tuned: {0}"), "the function can't be tuned");
        assert_eq!(of("{0}; it comes from the profile"), "it comes from the profile");
        assert_eq!(of("{0}\nnothing was changed"), "nothing was changed");
        assert_eq!(of("{{braces}} stay here"), "{braces} stay here");
        assert_eq!(of("{what} failed: {why}; try again"), "… failed: …");
        assert_eq!(fragment("{}: {source}"), None);
    }

    #[test]
    fn markdown_does_not_hide_a_message() {
        assert_eq!(words("a `b`\n  c\\|d"), "a b c|d");
    }
}
