//! The folder in which runs write down their changes.

use etcetera::BaseStrategy;
use powertune_engine::Journals;

/// The folder by the XDG Base Directory Specification: `powertune/journals` in `$XDG_STATE_HOME`,
/// by default in `~/.local/state`. Without a home there are no journals.
pub(super) fn journals() -> Journals {
    let Ok(strategy) = etcetera::choose_base_strategy() else { return Journals::default() };
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Journals::at(state.join("powertune").join("journals"))
}
