//! Explores every interleaving of elections on a model of Lambda.
//!
//! The model contains only recorded facts of AWS. Where the recordings leave a question open, a
//! [`Setting`] answers it, and the test runs with every setting. One step is one call with its
//! answer. Steps of other runs may come before the call and after the answer.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use powertune_core::power::Power;

use super::{Action, Election, FirstChange, Snapshot};

/// An open question about AWS, with one possible answer.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// TagResource and UntagResource change the RevisionId.
    tags_move: bool,
    publishing_moves: bool,
}

/// The faults that may happen to runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// No run dies, no answer is lost, no run stops waiting.
    None,
    /// The answer to a change may be lost after Lambda made the change.
    LostAnswers,
    /// Any run may die at any moment, answers may be lost, and a waiting run may give up.
    Everything,
}

/// The moment at which the winner ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// After all others have decided: the usual case, since measuring takes long.
    Long,
    Any,
}

/// The state of Lambda that matters to an election.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lambda {
    revision: u32,
    power: Power,
    is_settled: bool,
    tags: BTreeSet<String>,
    /// The memory size of the newest version.
    last_published: Option<Power>,
    /// The runs that have published a version.
    versions: BTreeSet<String>,
    /// The run whose change of the memory size is in force.
    holder: Option<String>,
}

/// The progress of one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum RunStage {
    /// It has made no call yet.
    Fresh,
    Electing(Election),
    /// It won: it still has to put the memory size back.
    On,
    Back,
    /// It changed the memory size without knowing it, and now puts it back.
    Undoing,
    /// It deletes its version next, if it has one.
    Leaving,
    Untagging {
        went_on: bool,
    },
    Over {
        went_on: bool,
    },
    /// It saw another run's tags at the beginning and ended.
    Refused,
    Dead,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    lambda: Lambda,
    runs: BTreeMap<String, RunStage>,
}

struct Explorer {
    setting: Setting,
    trouble: Trouble,
    length: Length,
}

fn power(mb: u32) -> Power {
    Power::new(mb).expect("a power")
}

fn original() -> Power {
    power(1024)
}

impl World {
    fn new(runs: usize) -> Self {
        let names = ["a", "b", "c", "d", "e"];
        let lambda = Lambda {
            revision: 0,
            power: original(),
            is_settled: true,
            tags: BTreeSet::new(),
            last_published: None,
            versions: BTreeSet::new(),
            holder: None,
        };
        let runs = names[..runs].iter().map(|name| ((*name).to_owned(), RunStage::Fresh)).collect();
        Self { lambda, runs }
    }

    fn have_all_decided(&self) -> bool {
        !self.runs.values().any(|stage| {
            matches!(
                stage,
                RunStage::Fresh
                    | RunStage::Electing(_)
                    | RunStage::Undoing
                    | RunStage::Leaving
                    | RunStage::Untagging { went_on: false }
            )
        })
    }

    fn number_of(&self, wanted: impl Fn(&RunStage) -> bool) -> usize {
        self.runs.values().filter(|stage| wanted(stage)).count()
    }

    /// The same world with normalized RevisionIds: only their equality matters.
    fn canonical(mut self) -> Self {
        let current = self.lambda.revision.to_string();
        for stage in self.runs.values_mut() {
            let RunStage::Electing(election) = stage else { continue };
            if let Action::Publish { revision_id } | Action::Change { revision_id } =
                &mut election.next
            {
                let is_current = revision_id.as_deref() == Some(current.as_str());
                *revision_id = Some(if is_current { "1" } else { "0" }.to_owned());
            }
        }
        self.lambda.revision = 1;
        self
    }
}

impl Lambda {
    fn moved(&mut self, moves: bool) {
        if moves {
            self.revision += 1;
        }
    }

    fn is_refused(&self, revision_id: Option<&str>) -> bool {
        !self.is_settled || revision_id != Some(self.revision.to_string().as_str())
    }

    fn look(&self) -> Snapshot {
        Snapshot {
            revision_id: Some(self.revision.to_string()),
            power: self.power,
            is_as_found: true,
            is_settled: self.is_settled,
            runs: self.tags.clone(),
        }
    }

    /// PublishVersion. Returns true if it succeeded.
    fn publish(&mut self, run: &str, revision_id: Option<&str>, setting: Setting) -> bool {
        if self.is_refused(revision_id) {
            return false;
        }
        if self.last_published != Some(self.power) {
            self.last_published = Some(self.power);
            self.versions.insert(run.to_owned());
            self.moved(setting.publishing_moves);
        }
        true
    }

    /// UpdateFunctionConfiguration. Returns true if it succeeded.
    fn change(&mut self, run: &str, revision_id: Option<&str>) -> bool {
        if self.is_refused(revision_id) {
            return false;
        }
        assert_eq!(self.holder, None, "{run} changed what another run holds: {self:?}");
        self.holder = Some(run.to_owned());
        self.power = power(128);
        self.is_settled = false;
        self.moved(true);
        true
    }

    fn put_back(&mut self, run: &str) {
        assert_eq!(self.holder.as_deref(), Some(run), "{run} put back what it did not change");
        self.holder = None;
        self.power = original();
        self.is_settled = false;
        self.moved(true);
    }
}

impl Explorer {
    /// All worlds that one step leads to.
    fn after(&self, world: &World) -> Vec<World> {
        let mut worlds = Vec::new();
        if !world.lambda.is_settled {
            let mut settled = world.clone();
            settled.lambda.is_settled = true;
            settled.lambda.moved(true);
            worlds.push(settled);
        }
        for (run, stage) in &world.runs {
            let mut push = |(lambda, stage): (Lambda, RunStage)| {
                let mut next = World { lambda, runs: world.runs.clone() };
                next.runs.insert(run.clone(), stage);
                worlds.push(next);
            };
            for (lambda, stage) in self.steps(world, run, stage) {
                push((lambda, stage));
            }
            let is_over = matches!(
                stage,
                RunStage::Over { .. } | RunStage::Refused | RunStage::Dead | RunStage::Fresh
            );
            if self.trouble == Trouble::Everything && !is_over {
                push((world.lambda.clone(), RunStage::Dead));
            }
        }
        worlds
    }

    fn steps(&self, world: &World, run: &str, stage: &RunStage) -> Vec<(Lambda, RunStage)> {
        let mut lambda = world.lambda.clone();
        match stage {
            RunStage::Fresh => {
                let is_free = lambda.tags.is_empty() && lambda.power == original();
                let election = Election::new(run.to_owned(), original(), power(128));
                vec![(
                    lambda,
                    if is_free { RunStage::Electing(election) } else { RunStage::Refused },
                )]
            }
            RunStage::Electing(election) => self.elect(lambda, run, election),
            RunStage::On if self.length == Length::Long && !world.have_all_decided() => Vec::new(),
            RunStage::On | RunStage::Undoing if !lambda.is_settled => Vec::new(),
            RunStage::Undoing => {
                lambda.put_back(run);
                vec![(lambda, RunStage::Leaving)]
            }
            RunStage::On => {
                lambda.put_back(run);
                vec![(lambda, RunStage::Back)]
            }
            RunStage::Back => {
                lambda.versions.remove(run);
                vec![(lambda, RunStage::Untagging { went_on: true })]
            }
            RunStage::Leaving => {
                lambda.versions.remove(run);
                vec![(lambda, RunStage::Untagging { went_on: false })]
            }
            RunStage::Untagging { went_on } => {
                lambda.tags.remove(run);
                lambda.moved(self.setting.tags_move);
                vec![(lambda, RunStage::Over { went_on: *went_on })]
            }
            RunStage::Over { .. } | RunStage::Refused | RunStage::Dead => Vec::new(),
        }
    }

    fn elect(&self, mut lambda: Lambda, run: &str, election: &Election) -> Vec<(Lambda, RunStage)> {
        let mut election = election.clone();
        let may_lose = self.trouble != Trouble::None;
        match election.next().clone() {
            Action::Tag => {
                lambda.tags.insert(run.to_owned());
                lambda.moved(self.setting.tags_move);
                election.tagged();
                vec![(lambda, RunStage::Electing(election))]
            }
            Action::Look => {
                election.looked(lambda.look());
                vec![(lambda, RunStage::Electing(election))]
            }
            Action::LookLater { .. } => {
                let mut ways = Vec::new();
                if self.trouble == Trouble::Everything {
                    let mut tired = election.clone();
                    tired.give_up();
                    ways.push((lambda.clone(), RunStage::Electing(tired)));
                }
                election.looked(lambda.look());
                ways.push((lambda, RunStage::Electing(election)));
                ways
            }
            Action::Publish { revision_id } => {
                let is_done = lambda.publish(run, revision_id.as_deref(), self.setting);
                let answers: &[bool] = if may_lose { &[is_done, false] } else { &[is_done] };
                told(&lambda, &election, answers, Election::published)
            }
            Action::Change { revision_id } => {
                let is_done = lambda.change(run, revision_id.as_deref());
                let answer = if is_done { FirstChange::Made } else { FirstChange::Refused };
                let answers: &[FirstChange] =
                    if may_lose { &[answer, FirstChange::Unknown] } else { &[answer] };
                told(&lambda, &election, answers, Election::changed)
            }
            Action::GoOn => vec![(lambda, RunStage::On)],
            Action::Leave(_) if lambda.holder.as_deref() == Some(run) => {
                vec![(lambda, RunStage::Undoing)]
            }
            Action::Leave(_) => vec![(lambda, RunStage::Leaving)],
        }
    }

    fn walk(&self, runs: usize) -> usize {
        let start = World::new(runs);
        let mut seen = HashSet::from([start.clone()]);
        let mut queue = VecDeque::from([start]);
        while let Some(world) = queue.pop_front() {
            let on = world.number_of(|stage| matches!(stage, RunStage::On));
            assert!(on <= 1, "two runs go on: {world:?}");
            let next = self.after(&world).into_iter().map(World::canonical);
            let next: Vec<World> = next.filter(|next| *next != world).collect();
            if next.is_empty() {
                self.check_end(&world);
            }
            queue.extend(next.into_iter().filter(|next| seen.insert(next.clone())));
        }
        seen.len()
    }

    fn check_end(&self, world: &World) {
        let dead = world.number_of(|stage| matches!(stage, RunStage::Dead));
        let over = world.number_of(|stage| {
            matches!(stage, RunStage::Over { .. } | RunStage::Refused | RunStage::Dead)
        });
        assert_eq!(over, world.runs.len(), "a run waits for ever: {world:?}");
        if dead > 0 {
            return;
        }
        let lambda = &world.lambda;
        assert!(lambda.tags.is_empty() && lambda.versions.is_empty(), "traces stay: {world:?}");
        assert_eq!(lambda.power, original(), "the memory size stays changed: {world:?}");
        let went_on = world.number_of(|stage| *stage == RunStage::Over { went_on: true });
        if self.trouble != Trouble::Everything {
            assert!(went_on >= 1, "no run went on: {world:?}");
            assert!(went_on == 1 || self.length == Length::Any, "{went_on} went on: {world:?}");
        }
    }
}

/// The possible states after the run receives one of these answers.
fn told<T: Copy>(
    lambda: &Lambda,
    election: &Election,
    answers: &[T],
    tell: impl Fn(&mut Election, T),
) -> Vec<(Lambda, RunStage)> {
    let after = |&answer: &T| {
        let mut election = election.clone();
        tell(&mut election, answer);
        (lambda.clone(), RunStage::Electing(election))
    };
    answers.iter().map(after).collect()
}

fn explore(runs: usize) {
    let mut all = 0;
    for (tags_move, publishing_moves) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let setting = Setting { tags_move, publishing_moves };
        for trouble in [Trouble::None, Trouble::LostAnswers, Trouble::Everything] {
            for length in [Length::Long, Length::Any] {
                all += Explorer { setting, trouble, length }.walk(runs);
            }
        }
    }
    println!("figure: situations of {runs} runs: {all} explored, none in which two go on");
}

#[test]
fn of_two_runs_one_goes_on() {
    explore(2);
}

#[test]
fn of_three_runs_one_goes_on() {
    explore(3);
}
