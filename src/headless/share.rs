//! The incident store of several hosts: its tables, and what it has that this host does not.

use super::Out;
use crate::config::Config;
use crate::exit::Exit;
use crate::ops::share;
pub use crate::ops::share::Wanted;
use crate::problem::Problem;

/// `steadyhand store init`: shows the statements, and runs them only when that is asked for.
pub async fn init(config: &Config, apply: bool, out: &mut Out) -> Result<Exit, Problem> {
    out.put(share::DDL)?;
    if !apply {
        out.say("nothing was run; --apply runs it on the configured store, psql anywhere");
        return Ok(Exit::Clear);
    }
    let store = config.store.as_ref().ok_or_else(|| {
        Problem::usage("no store is configured")
            .hint("write store = \"postgres://HOST/NAME\" into steadyhand.toml")
    })?;
    share::make(&store.value).await?;
    out.say(&format!("made in {}", store.value.url));
    Ok(Exit::Clear)
}

/// Brings what other hosts wrote. A store that is away is told, and what is here is used.
pub async fn fetch(config: &Config, wanted: Wanted<'_>, out: &mut Out) {
    let Some(store) = &config.store else { return };
    let (told, fetched) = share::fetch(&store.value, &config.state.value, wanted).await;
    for line in told {
        out.say(&format!("steadyhand: {line}"));
    }
    if let Err(Problem { sentence, .. }) = fetched {
        out.say(&format!("steadyhand: {sentence}; only what this host has is shown"));
    }
}
