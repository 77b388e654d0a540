//! The kinds of runs whose every crash point is tried, and what each may leave behind.

use crate::footprint::Footprint;

/// A kind of run.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What `powertune tune` is given beside the function and its powers.
    pub(crate) arguments: &'static [&'static str],
    /// Whether `$LATEST` is still what the user's version was published from: then Lambda hands out
    /// that version where the function's own power is to be published.
    pub(crate) is_published: bool,
    pub(crate) applies: Applied,
    /// Whether it is `powertune clean` that is killed, after a `tune` that was.
    pub(crate) kills_clean: bool,
}

/// To what a run applies its choice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Applied {
    Nowhere,
    Latest,
    Alias(&'static str),
}

/// The alias that the user has.
pub(crate) const ALIAS: &str = "live";
/// The powers that are measured.
pub(crate) const POWERS: &str = "128,192,256";
/// The one that the function has.
pub(crate) const ORIGINAL_MB: u32 = 256;
/// The one that the function is made to be cheapest at. It is published last, so that Lambda has
/// to be made to publish it once more for an alias: the longest way there is.
pub(crate) const CHEAPEST_MB: u32 = 192;

const FIXED: &str = "5";

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "fixed",
        arguments: &["--num", FIXED],
        is_published: true,
        applies: Applied::Nowhere,
        kills_clean: false,
    },
    Kind {
        name: "auto",
        arguments: &["--num", "auto"],
        is_published: false,
        applies: Applied::Nowhere,
        kills_clean: false,
    },
    Kind {
        name: "only_cold_starts",
        arguments: &["--num", FIXED, "--only-cold-starts"],
        is_published: true,
        applies: Applied::Nowhere,
        kills_clean: false,
    },
    Kind {
        name: "parallel",
        arguments: &["--num", FIXED, "--parallel", "6"],
        is_published: false,
        applies: Applied::Nowhere,
        kills_clean: false,
    },
    Kind {
        name: "auto_optimize",
        arguments: &["--num", FIXED, "--auto-optimize"],
        is_published: true,
        applies: Applied::Latest,
        kills_clean: false,
    },
    Kind {
        name: "auto_optimize_alias",
        arguments: &["--num", FIXED, "--auto-optimize", "--auto-optimize-alias", ALIAS],
        is_published: true,
        applies: Applied::Alias(ALIAS),
        kills_clean: false,
    },
    Kind {
        name: "auto_optimize_new_alias",
        arguments: &["--num", FIXED, "--auto-optimize", "--auto-optimize-alias", "tuned"],
        is_published: false,
        applies: Applied::Alias("tuned"),
        kills_clean: false,
    },
    Kind {
        name: "clean",
        arguments: &["--num", FIXED],
        is_published: false,
        applies: Applied::Nowhere,
        kills_clean: true,
    },
];

impl Applied {
    /// The options that ask for it.
    pub(crate) fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::Latest => vec!["--auto-optimize"],
            // Of some functions $LATEST is not what the alias has.
            Self::Alias(alias) => {
                vec!["--auto-optimize", "--auto-optimize-alias", alias, "--release-latest"]
            }
        }
    }

    /// What is wrong with the function after a run that came to its end.
    pub(crate) fn check_end(self, before: &Footprint, after: &Footprint) -> Result<(), String> {
        let rest = match self {
            Self::Nowhere => after.clone(),
            Self::Latest => after.with_latest_back(before)?,
            Self::Alias(alias) => after.with_alias_back(alias, before)?,
        };
        rest.must_be(before)
    }

    /// What is wrong with the function after a run that was killed, and `clean`.
    ///
    /// Everything is as before, or the run had already done what it was asked to: its alias points
    /// to the new version, which is complete then, or `$LATEST` has the chosen power. To take that
    /// back would be a second change of what serves the user's calls. `was_applying` says whether
    /// the run had come so far.
    pub(crate) fn check_cleaned(
        self,
        before: &Footprint,
        after: &Footprint,
        was_applying: bool,
    ) -> Result<(), String> {
        let has_applied = match self {
            Self::Nowhere => false,
            Self::Latest => was_applying && after.latest.memory_size != before.latest.memory_size,
            Self::Alias(alias) => after.alias_version(alias) != before.alias_version(alias),
        };
        if has_applied { self.check_end(before, after) } else { after.must_be(before) }
    }
}
