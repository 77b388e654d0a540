//! Our marks on a function: tags that announce a run and say how to undo it, and the description of
//! every version that it publishes.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;
use powertune_core::power::Power;
use uuid::Uuid;

const RUN: &str = "powertune:run";
const MEMORY: &str = "powertune:memory";
const BY: &str = "powertune:by";
const UNTIL: &str = "powertune:until";
const DESCRIPTION: &str = "powertune run ";
/// The longest tag value that AWS takes.
const LONGEST_VALUE: usize = 256;

/// What the tags of a run say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The run's id.
    pub run: String,
    /// The memory size that `$LATEST` had.
    pub original: Option<Power>,
    /// Who runs it.
    pub by: String,
    /// When it will be over at the latest.
    pub until: Option<Timestamp>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} by {}", self.run, self.by)?;
        self.until.map_or(Ok(()), |until| write!(f, ", over by {until} at the latest"))
    }
}

impl Mark {
    /// A mark for a new run.
    pub(crate) fn new(original: Power, by: &str, until: Timestamp) -> Self {
        Self {
            run: Uuid::new_v4().simple().to_string(),
            original: Some(original),
            by: tag_value(by),
            until: Some(until),
        }
    }

    /// The mark of an execution of the state machine.
    pub(crate) fn of_execution(arn: &str, original: Power, until: Option<Timestamp>) -> Self {
        Self { run: run_of(arn), original: Some(original), by: tag_value(arn), until }
    }

    /// What the tags of a function say of a run, if they speak of one.
    pub(crate) fn read(tags: &HashMap<String, String>) -> Option<Self> {
        let said = |key: &str| tags.get(key).cloned();
        if ![RUN, MEMORY, BY, UNTIL].iter().any(|key| tags.contains_key(*key)) {
            return None;
        }
        Some(Self {
            run: said(RUN).unwrap_or_else(|| "unknown".to_owned()),
            original: said(MEMORY)
                .and_then(|mb| mb.parse::<u32>().ok())
                .and_then(|mb| Power::new(mb).ok()),
            by: said(BY).unwrap_or_else(|| "somebody".to_owned()),
            until: said(UNTIL).and_then(|until| until.parse().ok()),
        })
    }

    pub(crate) fn tags(&self) -> HashMap<String, String> {
        let memory = self.original.map(|power| (MEMORY, power.mb().to_string()));
        let until = self.until.map(|until| (UNTIL, until.to_string()));
        [Some((RUN, self.run.clone())), Some((BY, self.by.clone())), memory, until]
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// The keys of every tag of ours.
    pub(crate) fn keys() -> Vec<String> {
        [RUN, MEMORY, BY, UNTIL].map(str::to_owned).to_vec()
    }

    /// The description of the versions that this run publishes.
    pub(crate) fn description(&self) -> String {
        format!("{DESCRIPTION}{}", self.run)
    }

    /// The description of the version that this run's alias is to point to. It is the user's to
    /// keep once the alias does.
    pub(crate) fn choice(&self, power: Power) -> String {
        format!("{power}{}", chosen_by(&self.run))
    }
}

/// The id of the run that an execution of the state machine makes: whoever knows the execution
/// knows its marks.
pub(crate) fn run_of(execution_arn: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, execution_arn.as_bytes()).simple().to_string()
}

/// Whether a version's description is that of a run of ours.
pub(crate) fn is_ours(description: &str) -> bool {
    description
        .strip_prefix(DESCRIPTION)
        .is_some_and(|run| run.len() == 32 && run.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a version's description is that of the choice of the run with this id.
pub(crate) fn is_choice_of(run: &str, description: &str) -> bool {
    description.ends_with(&chosen_by(run))
}

fn chosen_by(run: &str) -> String {
    format!(", chosen by {DESCRIPTION}{run}")
}

/// What a tag can hold: other characters become a dash.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().take(LONGEST_VALUE).map(|c| if allowed(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_what_the_mark_says() {
        let until = "2026-11-23T12:00:00Z".parse().expect("a time");
        let mark = Mark::new(Power::MIN, "Zoë <z@example.org>", until);
        assert_eq!(Mark::read(&mark.tags()), Some(mark.clone()));
        assert_eq!(mark.by, "Zo- -z@example.org-");
        let mut keys: Vec<String> = mark.tags().into_keys().collect();
        let mut all = Mark::keys();
        keys.sort();
        all.sort();
        assert_eq!(keys, all);
    }

    #[test]
    fn the_users_own_tags_and_descriptions_are_not_ours() {
        let tags = HashMap::from([("team".to_owned(), "powertune".to_owned())]);
        assert_eq!(Mark::read(&tags), None);
        assert!(!is_ours("powertune run of last week"));
        assert!(is_ours(&Mark::new(Power::MIN, "me", Timestamp::UNIX_EPOCH).description()));
    }

    #[test]
    fn a_choice_is_its_runs_and_no_test_version() {
        let mark = Mark::new(Power::MIN, "me", Timestamp::UNIX_EPOCH);
        let choice = mark.choice(Power::MIN);
        assert!(choice.starts_with("128 MB, chosen by powertune run "), "{choice}");
        assert!(is_choice_of(&mark.run, &choice) && !is_ours(&choice));
        assert!(!is_choice_of(&run_of("another"), &choice));
        assert!(!is_choice_of(&mark.run, &mark.description()));
    }
}
