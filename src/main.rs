fn main() {
    let dir = std::env::args().nth(1).map(std::path::PathBuf::from);
    let temp = tempfile::tempdir().unwrap();
    let dir = dir.unwrap_or_else(|| temp.path().to_owned());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let cockpit = steadyhand::tui::Cockpit {
        catalogue: steadyhand::catalogue::Catalogue::built_in().unwrap(),
        targets: vec![steadyhand::config::Target::new(
            steadyhand::demo::TARGET,
            steadyhand::config::TargetUrl::sqlite(steadyhand::demo::database(&dir)),
            steadyhand::config::Environment::Development,
        )],
        state: dir.join("state"),
        actor: "ada".into(),
        theme: None,
        keymap: steadyhand::tui::keymap::Keymap::built_in(),
        demo: Some(dir.clone()),
        start: steadyhand::tui::Start::Home,
    };
    let bye = runtime.block_on(steadyhand::tui::run(cockpit));
    println!("{bye:?}");
}
