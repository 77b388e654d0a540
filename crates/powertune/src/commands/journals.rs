//! Where this user's runs write down what they change.

use etcetera::BaseStrategy;
use powertune_engine::Journals;

/// The folder of the journals, by the XDG Base Directory Specification: `powertune/journals` in
/// `$XDG_STATE_HOME`, `~/.local/state` by default. Without a home there is none.
pub(super) fn journals() -> Journals {
    let Ok(strategy) = etcetera::choose_base_strategy() else { return Journals::default() };
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Journals::at(state.join("powertune").join("journals"))
}
