//! Catalogs of event types: the macro that declares one, and the built-in e-mail catalog.
//! Next: `email.rs`, which gives each built-in type its natural key.

/// Declares a catalog: one constant for each event type, and a list of them all.
///
/// Names are checked by the compiler: a bad one, or the same one twice, does not build. The doc comment of an entry is
/// required; it becomes the description that readers of the catalog see.
///
/// ```
/// postrider_event::event_types! {
///     /// Everything the billing service publishes.
///     pub catalog BILLING_EVENTS {
///         /// An invoice was paid in full.
///         INVOICE_PAID = "invoice.paid",
///         /// An invoice passed its due date unpaid.
///         INVOICE_OVERDUE = "invoice.overdue",
///     }
/// }
/// assert_eq!(INVOICE_PAID.as_str(), "invoice.paid");
/// assert_eq!(BILLING_EVENTS[1].description(), "An invoice passed its due date unpaid.");
/// ```
///
/// A name with a blank is a compile error:
///
/// ```compile_fail,E0080
/// postrider_event::event_types! {
///     /// Does not build.
///     pub catalog WRONG {
///         /// The name has a blank.
///         INVOICE_PAID = "invoice paid",
///     }
/// }
/// ```
///
/// So is the same name twice:
///
/// ```compile_fail,E0080
/// postrider_event::event_types! {
///     /// Does not build.
///     pub catalog TWICE {
///         /// First.
///         INVOICE_PAID = "invoice.paid",
///         /// Second.
///         INVOICE_SETTLED = "invoice.paid",
///     }
/// }
/// ```
#[macro_export]
macro_rules! event_types {
    ($(#[$catalog_attr:meta])* $vis:vis catalog $catalog:ident {
        $($(#[doc = $doc:literal])+ $name:ident = $text:literal),+ $(,)?
    }) => {
        $(
            $(#[doc = $doc])+
            #[doc = ""]
            #[doc = concat!("The event type `", $text, "`.")]
            $vis const $name: $crate::EventType = $crate::EventType::declared($text, concat!($($doc),+));
        )+
        $(#[$catalog_attr])*
        $vis const $catalog: &[$crate::EventType] = &[$($name),+];
        const _: () = $crate::assert_distinct(&[$($text),+]);
    };
}

event_types! {
    /// The built-in catalog, also reachable as [`EventType::ALL`](crate::EventType::ALL).
    pub catalog EMAIL_EVENTS {
        /// A message arrived and was stored.
        EMAIL_RECEIVED = "email.received",
        /// A message was handed to the provider.
        EMAIL_SENT = "email.sent",
        /// A message could not be sent.
        EMAIL_FAILED = "email.failed",
        /// The recipient's server accepted the message.
        EMAIL_DELIVERED = "email.delivered",
        /// The recipient opened the message.
        EMAIL_OPENED = "email.opened",
        /// The recipient followed a link in the message.
        EMAIL_CLICKED = "email.clicked",
        /// The recipient's server refused the message.
        EMAIL_BOUNCED = "email.bounced",
        /// The recipient reported the message as spam.
        EMAIL_COMPLAINED = "email.complained",
        /// An outgoing message waits for approval.
        EMAIL_PENDING_APPROVAL = "email.pending_approval",
        /// A waiting message was approved.
        EMAIL_APPROVED = "email.approved",
        /// A waiting message was rejected.
        EMAIL_REJECTED = "email.rejected",
        /// The recipient unsubscribed.
        EMAIL_UNSUBSCRIBED = "email.unsubscribed",
    }
}

/// Fails the build of a catalog that declares one name twice.
#[doc(hidden)]
pub const fn assert_distinct(names: &[&str]) {
    let mut i = 0;
    while i < names.len() {
        let mut j = i + 1;
        while j < names.len() {
            assert!(
                !same(names[i].as_bytes(), names[j].as_bytes()),
                "event type declared twice in one catalog"
            );
            j += 1;
        }
        i += 1;
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
