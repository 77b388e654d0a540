//! The marks of a run on a function: tags that announce the run and say how to undo it, and the
//! description of each version.
//!
//! The keys contain the run's id, so simultaneous runs do not overwrite each other's tags:
//!
//! ```text
//! powertune:<run>         since=2026-11-25T12:00:00Z until=2026-11-25T12:20:00Z
//! powertune:<run>:by      <user@host, or the ARN of an execution>
//! powertune:<run>:memory  memory=1024 sets=128/512
//! ```
//!
//! The third tag exists while `$LATEST` may have a memory size of the run. It is removed as soon as
//! the function has its own size again. The other two are removed last.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;
use powertune_core::power::Power;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::held::Held;

const KEY: &str = "powertune:";
const BY: &str = ":by";
const MEMORY: &str = ":memory";
const DESCRIPTION: &str = "powertune run ";
/// The number of tags of a run.
pub(crate) const TAGS: usize = 3;
/// The longest tag value that AWS allows.
const LONGEST_VALUE: usize = 256;
const SOMEBODY: &str = "somebody";

/// The content of a run's tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The run's id: 32 hexadecimal digits.
    pub run: String,
    /// The memory size to restore; `None` once `$LATEST` has it again.
    pub original: Option<Power>,
    #[serde(skip)]
    pub(crate) sets: Held,
    /// The owner of the run: user and host, or the ARN of an execution.
    pub by: String,
    /// The start of the run.
    pub since: Option<Timestamp>,
    /// The latest possible end of the run.
    pub until: Option<Timestamp>,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} by {}", self.run, self.by)?;
        self.since.map_or(Ok(()), |since| write!(f, ", started {since}"))?;
        self.until.map_or(Ok(()), |until| write!(f, ", ends by {until} at the latest"))
    }
}

impl Mark {
    /// The mark of a new run.
    pub(crate) fn new(original: Power, sets: Held, by: &str, until: Timestamp) -> Self {
        Self {
            run: Uuid::new_v4().simple().to_string(),
            original: Some(original),
            sets,
            by: tag_value(by),
            since: Some(now()),
            until: Some(until),
        }
    }

    pub(crate) fn of_execution(
        arn: &str,
        original: Power,
        sets: Held,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Self {
        Self { run: run_of(arn), original: Some(original), sets, by: tag_value(arn), since, until }
    }

    pub(crate) fn all(tags: &HashMap<String, String>) -> Vec<Self> {
        let mut runs: Vec<&str> = tags.keys().filter_map(|key| run_of_key(key)).collect();
        runs.sort_unstable();
        runs.dedup();
        let mut marks: Vec<Self> = runs.into_iter().map(|run| Self::read(run, tags)).collect();
        marks.sort_by_key(|mark| mark.since);
        marks
    }

    pub(crate) fn find(run: &str, tags: &HashMap<String, String>) -> Option<Self> {
        Self::all(tags).into_iter().find(|mark| mark.run == run)
    }

    fn read(run: &str, tags: &HashMap<String, String>) -> Self {
        let fields = |suffix: &str| fields(tags.get(&format!("{KEY}{run}{suffix}")));
        let (mark, memory) = (fields(""), fields(MEMORY));
        let time = |name: &str| mark.get(name).and_then(|time| time.parse().ok());
        Self {
            run: run.to_owned(),
            original: memory
                .get("memory")
                .and_then(|mb| mb.parse::<u32>().ok())
                .and_then(|mb| Power::new(mb).ok()),
            sets: memory.get("sets").and_then(|sets| sets.parse().ok()).unwrap_or(Held::Any),
            by: tags.get(&format!("{KEY}{run}{BY}")).map_or(SOMEBODY, String::as_str).to_owned(),
            since: time("since"),
            until: time("until"),
        }
    }

    /// Adds memory sizes that are about to be measured.
    pub(crate) fn add_sizes(&mut self, powers: &[Power]) {
        if let Some(sets) = self.sets.with(powers.iter().copied()) {
            self.sets = sets;
        }
    }

    pub(crate) fn tags(&self) -> HashMap<String, String> {
        let time = |name: &str, time: Option<Timestamp>| time.map(|time| format!("{name}={time}"));
        let times = [time("since", self.since), time("until", self.until)];
        let [of_run, by] = self.keys();
        let mut tags = self.memory_tags();
        tags.insert(of_run, times.into_iter().flatten().collect::<Vec<_>>().join(" "));
        tags.insert(by, self.by.clone());
        tags
    }

    pub(crate) fn memory_tags(&self) -> HashMap<String, String> {
        let Some(original) = self.original else { return HashMap::new() };
        let memory = format!("memory={}", original.mb());
        let room = LONGEST_VALUE.saturating_sub(memory.len() + " sets=".len());
        HashMap::from([(self.memory_key(), format!("{memory} sets={}", self.sets.text(room)))])
    }

    pub(crate) fn memory_key(&self) -> String {
        memory_key(&self.run)
    }

    /// The keys of the tags that are removed last.
    pub(crate) fn keys(&self) -> [String; 2] {
        [format!("{KEY}{}", self.run), format!("{KEY}{}{BY}", self.run)]
    }

    /// The keys of all tags of the run.
    pub(crate) fn all_keys(&self) -> Vec<String> {
        let [of_run, by] = self.keys();
        vec![of_run, by, self.memory_key()]
    }

    pub(crate) fn description(&self) -> String {
        format!("{DESCRIPTION}{}", self.run)
    }

    /// The description of the version that the run's alias will point to. The version belongs to
    /// the user once the alias does.
    pub(crate) fn choice(&self, power: Power) -> String {
        format!("{power}{}", chosen_by(&self.run))
    }
}

/// The run id of a state machine's execution. It is derived from the ARN, so everybody who knows
/// the execution knows its marks.
pub(crate) fn run_of(execution_arn: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, execution_arn.as_bytes()).simple().to_string()
}

/// The key of the tag with the memory size to restore, for the run with this id.
pub(crate) fn memory_key(run: &str) -> String {
    format!("{KEY}{run}{MEMORY}")
}

/// The present time in whole seconds.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::MAX)
}

/// The id of the run that published a test version with this description; `None` for other
/// versions.
pub(crate) fn run_of_version(description: &str) -> Option<&str> {
    description.strip_prefix(DESCRIPTION).filter(|run| is_run(run))
}

fn run_of_key(key: &str) -> Option<&str> {
    let run = key.strip_prefix(KEY)?;
    let stripped = run.strip_suffix(BY).or_else(|| run.strip_suffix(MEMORY));
    Some(stripped.unwrap_or(run)).filter(|run| is_run(run))
}

fn fields(value: Option<&String>) -> HashMap<&str, &str> {
    let value = value.map_or("", String::as_str);
    value.split(' ').filter_map(|field| field.split_once('=')).collect()
}

/// True if this is a run's id.
fn is_run(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// True if this is the description of the version that the run chose.
pub(crate) fn is_choice_of(run: &str, description: &str) -> bool {
    description.ends_with(&chosen_by(run))
}

fn chosen_by(run: &str) -> String {
    format!(", chosen by {DESCRIPTION}{run}")
}

/// Replaces each character that a tag can't hold by a dash.
fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().take(LONGEST_VALUE).map(|c| if allowed(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let until = "2026-11-23T12:00:00Z".parse().expect("a time");
        Mark::new(Power::MIN, Held::measured([Power::MIN]), "Zoë <z@example.org>", until)
    }

    #[test]
    fn tags_say_what_the_mark_says() {
        let mark = mark();
        assert_eq!(Mark::all(&mark.tags()), std::slice::from_ref(&mark));
        assert_eq!(mark.by, "Zo- -z@example.org-");
        let mut keys: Vec<String> = mark.tags().into_keys().collect();
        keys.sort();
        assert_eq!(keys, mark.all_keys());
    }

    #[test]
    fn without_its_memory_tag_a_mark_says_of_no_memory_size() {
        let mark = mark();
        let mut tags = mark.tags();
        tags.remove(&mark.memory_key());
        let read = Mark::all(&tags).remove(0);
        assert_eq!((read.original, read.since), (None, mark.since));
    }

    #[test]
    fn two_runs_are_told_apart_the_older_first() {
        let (mut older, newer) = (mark(), mark());
        older.since = Some(Timestamp::UNIX_EPOCH);
        let tags = older.tags().into_iter().chain(newer.tags()).collect();
        assert_eq!(Mark::all(&tags), [older.clone(), newer.clone()]);
        assert_eq!(Mark::find(&newer.run, &tags), Some(newer));
    }

    #[test]
    fn any_powers_fit_into_a_tag() {
        let all = (128..=10_240).step_by(8).filter_map(|mb| Power::new(mb).ok());
        let mark = Mark { sets: Held::measured(all), ..mark() };
        assert!(mark.tags().values().all(|value| value.len() <= LONGEST_VALUE));
        let read = Mark::all(&mark.tags()).remove(0);
        assert!(read.sets.contains(Power::MIN) && read.sets.contains(Power::MAX));
    }

    #[test]
    fn half_a_mark_is_one() {
        let mut tags = mark().tags();
        tags.retain(|key, _| key.ends_with(BY));
        let [half] = Mark::all(&tags).try_into().expect("one mark");
        assert_eq!((half.original, half.until), (None, None));
        assert!(half.sets.contains(Power::MAX));
    }

    #[test]
    fn the_users_own_tags_and_descriptions_are_not_ours() {
        for key in ["team", "powertune", "powertune:run", "powertune:strategy", "powertune:run:by"]
        {
            let tags = HashMap::from([(key.to_owned(), "powertune".to_owned())]);
            assert_eq!(Mark::all(&tags), []);
        }
        assert_eq!(run_of_version("powertune run of last week"), None);
        let mark = mark();
        assert_eq!(run_of_version(&mark.description()), Some(mark.run.as_str()));
    }

    #[test]
    fn a_choice_is_its_runs_and_no_test_version() {
        let mark = mark();
        let choice = mark.choice(Power::MIN);
        assert!(choice.starts_with("128 MB, chosen by powertune run "), "{choice}");
        assert!(is_choice_of(&mark.run, &choice) && run_of_version(&choice).is_none());
        assert!(!is_choice_of(&run_of("another"), &choice));
        assert!(!is_choice_of(&mark.run, &mark.description()));
    }
}
