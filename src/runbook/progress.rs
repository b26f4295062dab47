//! Where an incident stands in its runbook.
