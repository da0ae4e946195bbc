//! On whose behalf statements run: what row security and the audit log go by.

use std::net::IpAddr;

/// Somebody who asks us to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// Its tenant, of whom alone anything is seen then, as the role `postrider_api`; `None`: everything is.
    pub tenant: Option<String>,
    /// As the audit log names it: `key:<id>` or `cli:<user>`.
    pub actor: String,
    /// Where it asked from.
    pub address: Option<IpAddr>,
    /// What it asked, as the answer names it.
    pub request_id: Option<String>,
}

impl Acting {
    /// Statements that say so for the rest of a transaction.
    pub(crate) fn settings(&self) -> String {
        let mut text = format!("SET LOCAL postrider.actor = {};", literal(&self.actor));
        if let Some(address) = self.address {
            text += &format!("SET LOCAL postrider.address = '{address}';");
        }
        if let Some(request) = &self.request_id {
            text += &format!("SET LOCAL postrider.request_id = {};", literal(request));
        }
        if let Some(tenant) = &self.tenant {
            // The role last: it may not be allowed the rest. Its scans are not bounded by what they look at, only by what they find.
            text += &format!(
                "SET LOCAL statement_timeout = '5s';SET LOCAL postrider.tenant_id = {};SET LOCAL ROLE postrider_api;",
                literal(tenant)
            );
        }
        text
    }
}

/// An SQL string literal, whatever `standard_conforming_strings` says; without what no text of PostgreSQL can hold.
fn literal(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c != '\0').collect();
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_its_literal() {
        assert_eq!(literal("cli:root"), "E'cli:root'");
        assert_eq!(literal(r"a'b\'c"), r"E'a''b\\''c'");
        assert_eq!(literal("a\0b"), "E'ab'");
    }

    #[test]
    fn the_role_comes_last_and_only_for_a_tenant() {
        let mut acting = Acting {
            tenant: None,
            actor: "cli:x".to_owned(),
            address: Some([127, 0, 0, 1].into()),
            request_id: Some("req_1".to_owned()),
        };
        assert_eq!(
            acting.settings(),
            "SET LOCAL postrider.actor = E'cli:x';SET LOCAL postrider.address = '127.0.0.1';SET LOCAL postrider.request_id = E'req_1';"
        );
        acting.tenant = Some("acme".to_owned());
        assert!(
            acting
                .settings()
                .ends_with("SET LOCAL postrider.tenant_id = E'acme';SET LOCAL ROLE postrider_api;")
        );
    }
}
