//! The memory sizes that a run may give to `$LATEST`. Any other size comes from somebody else, and
//! stays.

use std::{collections::BTreeSet, str::FromStr};

use powertune_core::power::Power;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    Any,
    /// A range, used if there are too many sizes to list.
    Between(Power, Power),
    /// The powers that a run measures. Their neighbours count too, since a run passes through them
    /// to publish.
    Measured(BTreeSet<Power>),
    /// Exactly these, known from a journal.
    Exactly(BTreeSet<Power>),
}

impl Default for Held {
    fn default() -> Self {
        Self::Exactly(BTreeSet::new())
    }
}

/// The next smaller memory size, or the next larger one for the smallest. Every account that allows
/// a size allows its neighbour.
pub(crate) fn neighbour(power: Power) -> Power {
    let neighbour = Power::new(power.mb() - 1).or_else(|_| Power::new(power.mb() + 1));
    neighbour.expect("a power has a neighbour")
}

impl Held {
    pub(crate) fn measured(powers: impl IntoIterator<Item = Power>) -> Self {
        Self::Measured(powers.into_iter().collect())
    }

    pub(crate) fn contains(&self, power: Power) -> bool {
        match self {
            Self::Any => true,
            Self::Between(least, most) => {
                (*least..=*most).contains(&power) || power == neighbour(*least)
            }
            Self::Measured(powers) => {
                powers.contains(&power) || powers.iter().any(|&each| neighbour(each) == power)
            }
            Self::Exactly(powers) => powers.contains(&power),
        }
    }

    /// Adds powers that are about to be measured; `None` if the set contains them all.
    pub(crate) fn with(&self, powers: impl IntoIterator<Item = Power>) -> Option<Self> {
        let mut new = powers.into_iter().filter(|&power| !self.contains(power)).peekable();
        new.peek()?;
        Some(match self {
            Self::Any => Self::Any,
            Self::Between(least, most) => Self::between(&new.chain([*least, *most]).collect()),
            Self::Measured(known) | Self::Exactly(known) => {
                Self::measured(new.chain(known.iter().copied()))
            }
        })
    }

    /// The set as the value of a tag, with at most `room` bytes.
    pub(crate) fn text(&self, room: usize) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::Between(least, most) => format!("{}-{}", least.mb(), most.mb()),
            Self::Measured(powers) | Self::Exactly(powers) => {
                let each: Vec<String> = powers.iter().map(|power| power.mb().to_string()).collect();
                let text = each.join("/");
                if text.len() <= room { text } else { Self::between(powers).text(room) }
            }
        }
    }

    fn between(powers: &BTreeSet<Power>) -> Self {
        match (powers.first(), powers.last()) {
            (Some(&least), Some(&most)) => Self::Between(least, most),
            _ => Self::default(),
        }
    }
}

/// Parses the text of [`Held::text`].
impl FromStr for Held {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let power = |mb: &str| mb.parse().ok().and_then(|mb: u32| Power::new(mb).ok()).ok_or(());
        if text == "any" {
            return Ok(Self::Any);
        }
        if let Some((least, most)) = text.split_once('-') {
            return Ok(Self::Between(power(least)?, power(most)?));
        }
        let each = text.split('/').filter(|mb| !mb.is_empty());
        each.map(power).collect::<Result<_, _>>().map(Self::Measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(mb: &[u32]) -> impl Iterator<Item = Power> {
        mb.iter().map(|&mb| Power::new(mb).expect("a power"))
    }

    fn holds(held: &Held, mb: u32) -> bool {
        held.contains(Power::new(mb).expect("a power"))
    }

    #[test]
    fn text_says_the_same() {
        let measured = Held::measured(powers(&[128, 512, 10_240]));
        for held in [Held::Any, Held::Between(Power::MIN, Power::MAX), measured] {
            assert_eq!(held.text(64).parse(), Ok(held));
        }
        assert!("12/128".parse::<Held>().is_err());
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_ends() {
        let held = Held::measured(powers(&[128, 512, 1024]));
        assert_eq!((held.text(12), held.text(11)), ("128/512/1024".into(), "128-1024".into()));
    }

    #[test]
    fn a_run_passes_through_neighbours_unless_it_is_known_exactly() {
        let measured = Held::measured(powers(&[128, 10_240]));
        let held: Vec<bool> = [128, 129, 130, 10_239, 10_240].map(|mb| holds(&measured, mb)).into();
        assert_eq!(held, [true, true, false, true, true]);
        assert!(holds(&Held::measured(powers(&[1024])), 1023));
        assert!(!holds(&Held::Exactly(powers(&[128]).collect()), 129));
        assert!(!holds(&Held::default(), 128));
    }

    #[test]
    fn only_new_powers_make_another_set() {
        let held = Held::measured(powers(&[128, 512]));
        assert_eq!(held.with(powers(&[512])), None);
        assert_eq!(held.with(powers(&[192])), Some(Held::measured(powers(&[128, 192, 512]))));
        let between = Held::Between(Power::MIN, Power::new(512).expect("a power"));
        assert_eq!(between.with(powers(&[10_240])), Some(Held::Between(Power::MIN, Power::MAX)));
    }
}
