//! The kinds of runs that are killed at every crash point, and their allowed leftovers.

use crate::crash::footprint::Footprint;

#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The arguments of `powertune tune` beyond the function and its sizes.
    pub(crate) arguments: &'static [&'static str],
    /// True if `$LATEST` is equal to the user's version. Then Lambda returns that version when the
    /// function's own size is published.
    pub(crate) is_published: bool,
    pub(crate) applies: Applied,
    /// True if `powertune clean` is killed, after a killed `tune`.
    pub(crate) kills_clean: bool,
}

/// The target of the choice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Applied {
    Nowhere,
    Latest,
    Alias(&'static str),
}

pub(crate) const ALIAS: &str = "live";
pub(crate) const POWERS: &str = "128,192,256";
pub(crate) const ORIGINAL_MB: u32 = 256;
/// The size at which the function is the cheapest. It is published last, so that Lambda has to
/// publish it once more for an alias: the longest way.
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
    pub(crate) fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::Latest => vec!["--auto-optimize"],
            // `$LATEST` of some functions differs from the version of the alias.
            Self::Alias(alias) => {
                vec!["--auto-optimize", "--auto-optimize-alias", alias, "--release-latest"]
            }
        }
    }

    /// Checks the function after a run that came to its end.
    pub(crate) fn check_end(self, before: &Footprint, after: &Footprint) -> Result<(), String> {
        let rest = match self {
            Self::Nowhere => after.clone(),
            Self::Latest => after.with_latest_back(before)?,
            Self::Alias(alias) => after.with_alias_back(alias, before)?,
        };
        rest.must_be(before)
    }

    /// Checks the function after a killed run, and `clean`.
    ///
    /// Everything is as before, or the run had already finished its work: its alias points to the
    /// new version, which is complete then, or `$LATEST` has the chosen size. Taking that back
    /// would be a second change of the function that serves the user's calls. `was_applying` is
    /// true if the run had come so far.
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
