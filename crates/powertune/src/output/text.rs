//! Texts of the function or of AWS, made harmless and wrapped.

use std::{fmt::Write as _, iter};

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm, core::Word};
use unicode_width::UnicodeWidthStr;

/// The characters of a message that are shown; an error message may have megabytes.
const LONGEST: usize = 300;

/// `text` in one line, without characters that a terminal or a browser obeys: control characters,
/// escape codes, and marks that change the direction of writing.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => {
                if !harmless.ends_with(' ') {
                    harmless.push(' ');
                }
            }
            _ if obeyed(character) => harmless.extend(character.escape_unicode()),
            _ => harmless.push(character),
        }
    }
    harmless
}

fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// True if `text` has no character that a terminal obeys.
pub(crate) fn is_harmless(text: &str) -> bool {
    !text.chars().any(obeyed)
}

/// JSON with escapes for all characters that a terminal obeys. JSON itself requires only some of
/// them.
pub(super) fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if obeyed(character) && character != '\n' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to memory does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Each line of `text`, made [`harmless`].
pub(crate) fn plain(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// [`harmless`], and cut to a readable length.
pub(crate) fn message(text: &str) -> String {
    let harmless = harmless(text.trim_start());
    match harmless.char_indices().nth(LONGEST) {
        None => harmless,
        Some((end, _)) => format!("{}...", &harmless[..end]),
    }
}

/// The columns that `text` takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` in lines of at most `width` columns. It begins at column `indent`, and so does every
/// further line.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let options = Options::new(width.saturating_sub(indent).max(1))
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).join(&format!("\n{}", " ".repeat(indent)))
}

/// The words of a text. A number and the word behind it count as one.
fn words(text: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut rest = text;
    Box::new(iter::from_fn(move || {
        let end = |(space, _): &(usize, &str)| !is_number(&rest[..*space]);
        let end = rest.match_indices(' ').find(end).map_or(rest.len(), |(space, _)| space + 1);
        let word;
        (word, rest) = rest.split_at(end);
        (!word.is_empty()).then(|| Word::from(word))
    }))
}

fn is_number(word: &str) -> bool {
    word.ends_with(|last: char| last.is_ascii_digit())
        && word.chars().all(|character| character.is_ascii_digit() || character == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(harmless("\u{1b}[2J\u{7}gone"), "\\u{1b}[2J\\u{7}gone");
        assert_eq!(harmless("  a\r\n\tb\u{2028}c\n"), "  a b c");
        assert_eq!(harmless("\u{9b}31m \u{202e}txt.exe"), "\\u{9b}31m \\u{202e}txt.exe");
        assert_eq!(harmless("größer: 大きい"), "größer: 大きい");
    }

    #[test]
    fn json_stays_the_same_json() {
        let text = "\u{1b}[1m \u{7f} \u{9b}31m \u{202e}größer \n\t 大😀";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped(&json);
        assert!(is_harmless(&escaped.replace('\n', "")), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [text]);
    }

    #[test]
    fn plain_text_keeps_its_lines() {
        assert_eq!(plain("failed:\n  a\u{1b}[1m\r\n  b\n"), "failed:\n  a\\u{1b}[1m\n  b");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(message("short"), "short");
        let cut = message(&"ü".repeat(1000));
        assert_eq!(cut.chars().count(), LONGEST + 3);
        assert!(cut.ends_with("ü..."));
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("one two three", 8, 2), "one\n  two\n  three");
        assert_eq!(wrapped("one two three", 80, 2), "one two three");
        assert_eq!(wrapped("", 80, 2), "");
    }

    #[test]
    fn numbers_stay_with_what_they_count() {
        assert_eq!(wrapped("it is 98 % sure at 128 MB", 8, 0), "it is\n98 %\nsure at\n128 MB");
        assert_eq!(wrapped("at 128", 4, 0), "at\n128");
    }

    #[test]
    fn words_break_only_where_they_have_to() {
        assert_eq!(wrapped("a abcdefgh b", 4, 0), "a\nabcd\nefgh\nb");
        assert_eq!(wrapped("大きい大", 5, 0), "大き\nい大");
    }
}
