// Written by `postrider types gen --lang typescript`; write it anew when the catalog has changed.

export const LIST_SENT = "list.sent";
/** Of this nobody said what it holds. */
export const NOTHING_SAID = "nothing.said";
export const TREE_GROWN = "tree.grown";
export const USER_SIGNED_UP = "user.signed.up";
/**
 * Somebody signed up.
 * Once a person.
 */
export const USER_SIGNED_UP2 = "user.signed_up";

/** All event types of the catalog. */
export const EVENT_TYPES = [
  LIST_SENT,
  NOTHING_SAID,
  TREE_GROWN,
  USER_SIGNED_UP,
  USER_SIGNED_UP2,
] as const;

export type EventTypeName = (typeof EVENT_TYPES)[number];

/** What is in `data`, by event type. */
export interface Payloads {
  "list.sent": Array<ListSentItem>;
  "nothing.said": unknown;
  "tree.grown": TreeGrown;
  "user.signed.up": UserSignedUp;
  "user.signed_up": UserSignedUp2;
}

export interface ListSentItem {
  n?: number;
}

/** Payload of tree.grown. */
export interface TreeGrown {
  by_name?: Record<string, TreeGrown>;
  children: Array<TreeGrown>;
  parent: TreeGrown | null;
}

/** Payload of user.signed.up. */
export interface UserSignedUp {
  userId?: number;
  user_id?: number;
  verified: boolean;
}

/**
 * Who signed up, and for what.
 *
 * Payload of user.signed_up.
 */
export interface UserSignedUp2 {
  anything?: unknown;
  /** This or that. */
  // Any JSON: it must fit one of several schemas.
  choice?: unknown;
  extra?: Record<string, unknown>;
  // Any JSON: it refers to itself.
  far?: unknown;
  invitedBy?: UserSignedUp2User;
  /** What they pay for. */
  plan: UserSignedUp2Plan;
  /** Where they came from *\/ or not. */
  ref?: string | null;
  scores?: Record<string, number>;
  tags?: Array<string>;
  user: UserSignedUp2User;
}

/** A person */
export interface UserSignedUp2User {
  address?: UserSignedUp2UserAddress;
  best_friend?: UserSignedUp2User;
  "e-mail": string | null;
  friends?: Array<UserSignedUp2User>;
  id: number;
}

export interface UserSignedUp2UserAddress {
  city?: string;
  type?: UserSignedUp2UserAddressType;
}

export type UserSignedUp2UserAddressType = "home";

/** What they pay for. */
export type UserSignedUp2Plan = "free" | "paid" | "paid-yearly" | "2024";
