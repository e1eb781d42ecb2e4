/*
 * regex_internal.h: what the regex*.c files share; nobody else includes it.
 *
 *   regex_parse.c    pattern text -> tree, by ECMAScript's grammar
 *   regex_class.c    what stands for one character: escapes and classes
 *   regex_set.c      sets of characters, case, Unicode properties
 *   regex_unicode.c  the tables
 *   regex_emit.c     tree -> PCRE2's language
 *   regex.c          PCRE2 itself: compiling, matching, callouts
 */
#ifndef WF_BASE_REGEX_INTERNAL_H
#define WF_BASE_REGEX_INTERNAL_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#define WF_REGEX_MAX_CHAR 0x10FFFF
#define WF_REGEX_INFINITE (-1)
#define WF_REGEX_MOST_REPEATS 65535		/* PCRE2's */
#define WF_REGEX_COST_CALLOUT 255		/* counts a step; PCRE2 numbers callouts up to this */
#define WF_REGEX_MOST_CHECKS 254

/* -- sets of characters -- */

typedef struct WfRegexRange
{
	pg_wchar	lo;
	pg_wchar	hi;
} WfRegexRange;

typedef struct WfRegexSet
{
	int			n;
	int			capacity;
	WfRegexRange *ranges;		/* in order and apart from each other once settled */
	List	   *properties;		/* of const char *: PCRE2's \p{..} and \P{..} */
	bool		negated;		/* the complement of all that */
} WfRegexSet;

extern WfRegexSet *wf_regex_set_make(void);
extern void wf_regex_set_add(WfRegexSet *set, pg_wchar lo, pg_wchar hi);
/* \d \w \s (lower case) and their complements. `wide`: \w with flags i and u, which has two more. */
extern void wf_regex_set_add_class(WfRegexSet *set, char letter, bool wide);
extern void wf_regex_set_add_property(WfRegexSet *set, const char *item);
/* Puts ranges in order; with a tree that ignores case adds all that equals a member but for its case. */
struct WfRegexTree;
extern void wf_regex_set_settle(WfRegexSet *set, struct WfRegexTree *tree);
/* True when a settled set holds some code point of the range; properties are taken to hold any. */
extern bool wf_regex_set_touches(const WfRegexSet *set, pg_wchar lo, pg_wchar hi);
/* Are two characters equal but for their case, by JavaScript's rule for this flag? */
extern bool wf_regex_same_fold(pg_wchar a, pg_wchar b, bool unicode);

/* -- tables -- */

#define WF_REGEX_FOLD_UNICODE	1	/* with flag u or v: simple case folding */
#define WF_REGEX_FOLD_LEGACY	2	/* without: toUpperCase, within the BMP */

/* Every `stride`-th character from lo to hi equals the one `delta` above it. */
typedef struct WfRegexFold
{
	pg_wchar	lo;
	pg_wchar	hi;
	uint16		stride;
	int			delta;
	uint8		rules;
} WfRegexFold;

extern const WfRegexFold wf_regex_folds[];
extern const int wf_regex_n_folds;

/* `name` or `name=value` between the braces of \p{...}: what PCRE2 calls it, or NULL. */
extern const char *wf_regex_property(const char *name, int len);

/* -- the tree -- */

typedef enum WfRegexKind
{
	WF_REGEX_EMPTY,
	WF_REGEX_CHAR,
	WF_REGEX_SET,
	WF_REGEX_BOTH,				/* one character that both children match (v: &&) */
	WF_REGEX_MINUS,				/* one character that the first matches and the second does not (v: --) */
	WF_REGEX_NEITHER,			/* one character that the child does not match (v: [^]) */
	WF_REGEX_START,
	WF_REGEX_END,
	WF_REGEX_BOUNDARY,
	WF_REGEX_NO_BOUNDARY,
	WF_REGEX_GROUP,
	WF_REGEX_LOOK,
	WF_REGEX_BACKREF,
	WF_REGEX_SEQUENCE,
	WF_REGEX_CHOICE,
	WF_REGEX_REPEAT,
} WfRegexKind;

typedef struct WfRegexNode
{
	WfRegexKind kind;
	struct WfRegexNode *parent;
	int			place;			/* its index among the parent's children */
	int			n;
	int			capacity;
	struct WfRegexNode **children;
	pg_wchar	character;
	WfRegexSet *set;
	int			group;			/* GROUP: its number, 0 for none; BACKREF: the group meant */
	int			end;			/* GROUP, BACKREF: position in the pattern after it */
	const char *name;			/* BACKREF by name, until resolved */
	bool		behind;			/* LOOK */
	bool		negative;		/* LOOK */
	int			min;			/* REPEAT */
	int			max;			/* WF_REGEX_INFINITE */
	bool		lazy;
	int			least;			/* characters that it matches at the least, plus one; 0: not computed yet */
	bool		marked;			/* REPEAT: where an iteration began must be known */
	int			marker;			/* PCRE2's number of the group that notes it */
} WfRegexNode;

/* A group's capture counts only if it was made in the current iteration of a loop around it. */
typedef struct WfRegexStale
{
	WfRegexNode *loop;
	bool		strict;			/* one that starts where the iteration does is old */
} WfRegexStale;

typedef struct WfRegexGroup
{
	const char *name;			/* or NULL */
	WfRegexNode *node;
	int			number;			/* PCRE2's; 0: never takes part */
	List	   *stale;			/* of WfRegexStale * */
} WfRegexGroup;

/* The characters with a case of their own that a property holds. */
typedef struct WfRegexCased
{
	const char *property;
	int			n;
	pg_wchar   *points;
} WfRegexCased;

/* What a callout decides; its number is the index in WfRegexTree.checks plus one. */
typedef enum WfRegexCheckKind
{
	WF_REGEX_CHECK_PROGRESS,	/* the iteration since `marker` consumed something */
	WF_REGEX_CHECK_PROGRESS_OR_FIRST,	/* or it began where the loop did (`entry`) */
	WF_REGEX_CHECK_FRESH,		/* the capture of `group` counts */
	WF_REGEX_CHECK_NOT_FRESH,
	WF_REGEX_CHECK_COST,		/* what comparing with `group` costs */
	WF_REGEX_CHECK_SAME,		/* what was just matched equals `group` by JavaScript's rule of case */
	WF_REGEX_CHECK_BEHIND,		/* number `entry` of the lookbehinds holds */
} WfRegexCheckKind;

typedef struct WfRegexCheck
{
	WfRegexCheckKind kind;
	WfRegexNode *loop;
	int			entry;
	int			group;
} WfRegexCheck;

/* A lookbehind of no fixed length: the pattern from right to left, to be matched on text from right to left. */
typedef struct WfRegexBehind
{
	StringInfo	out;
	bool		negative;
} WfRegexBehind;

typedef struct WfRegexTree
{
	WfRegexNode *root;
	int			n_groups;		/* without the whole match */
	WfRegexGroup *groups;		/* from 1; [0] is unused */
	bool		unicode;		/* flag u or v */
	bool		sets;			/* flag v */
	bool		ignore_case;
	bool		multiline;
	bool		dot_all;
	const char *problem;		/* why it was refused, or NULL */
	List	   *cased;			/* of WfRegexCased *: properties met, with flag i */
	/* filled by emitting */
	StringInfo	out;
	int			n_numbers;		/* PCRE2's groups so far */
	int			n_checks;
	WfRegexCheck *checks;		/* WF_REGEX_MOST_CHECKS, once there is one */
	List	   *behinds;		/* of WfRegexBehind * */
	int			step_cost;		/* of a step: how far it may go without a choice */
	bool		sees_surrogates;	/* some atom can match a half of a surrogate pair */
	bool		may_be_empty;	/* it can match nothing, between two halves too */
} WfRegexTree;

/* Notes why a pattern is refused; the first reason stands. */
extern void wf_regex_refuse(WfRegexTree *tree, const char *fmt, ...) pg_attribute_printf(2, 3);

/* regex_parse.c */
typedef struct WfRegexParser
{
	WfRegexTree *tree;
	const pg_wchar *in;			/* code points with u or v, else code units */
	int			n;
	int			at;
	int			depth;
	int			next_group;		/* number of the next one to begin */
	bool		has_names;		/* some group has a name: \k is then no plain k */
} WfRegexParser;

extern void wf_regex_parse(WfRegexTree *tree, const pg_wchar *in, int n);
extern WfRegexNode *wf_regex_node(WfRegexKind kind);
extern void wf_regex_add_child(WfRegexNode *parent, WfRegexNode *child);
extern bool wf_regex_parse_group_name(WfRegexParser *p, const char **name);

/* regex_class.c */
extern WfRegexNode *wf_regex_parse_class(WfRegexParser *p);
/* An escape that stands for one character or a class of them, after the backslash. */
extern WfRegexNode *wf_regex_parse_atom_escape(WfRegexParser *p);
extern WfRegexNode *wf_regex_char_node(WfRegexParser *p, pg_wchar c);
/* Four hexadecimal digits, or {...} where allowed, after \u. */
extern bool wf_regex_parse_unicode_escape(WfRegexParser *p, bool unicode, pg_wchar *out);

static inline bool
wf_regex_is_name_char(pg_wchar c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static inline pg_wchar
wf_regex_peek(const WfRegexParser *p, int ahead)
{
	return p->at + ahead < p->n ? p->in[p->at + ahead] : 0xFFFFFFFF;
}

static inline bool
wf_regex_take(WfRegexParser *p, pg_wchar c)
{
	if (p->at >= p->n || p->in[p->at] != c)
		return false;
	p->at++;
	return true;
}

/* regex_emit.c */
/* Writes the tree as a PCRE2 pattern into tree->out; refuses what cannot be said. */
extern void wf_regex_emit(WfRegexTree *tree);

/* regex.c */
/* Which of these characters the PCRE2 item matches. False when PCRE2 does not know it. */
extern bool wf_regex_probe(const char *item, const pg_wchar *points, int n, bool *matches);

#endif
