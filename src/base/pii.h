/*
 * pii.h: personal data in JSON: where it is (paths), putting tokens in its place, putting it back, erasing it.
 *
 * A token stands for a value that is kept elsewhere: the byte 2, `pii:<segment>.<number>`, the byte 3. It is what a string
 * consists of, or a part of one. Who forges one sees a mask, or, with the right to see it all, another value of the same run.
 */
#ifndef WF_BASE_PII_H
#define WF_BASE_PII_H

#include "postgres.h"
#include "base/json.h"
#include "nodes/pg_list.h"

/* What those see who may not see the value; and what is left of one that was erased. */
#define WF_PII_MASK "***"
#define WF_PII_ERASED "[erased]"

/* Strings of fewer bytes are not looked for within others, and numbers of fewer digits only where they are marked. */
#define WF_PII_PART_BYTES 4

/* -- paths (pii_path.c) -- */

/* A list of paths. `*` is any name or element, `**` any number of them. */
typedef struct WfPiiPaths WfPiiPaths;

/* One step of a path. */
typedef enum WfPiiStepKind
{
	WF_PII_NAME,				/* a member, or (a number) an element */
	WF_PII_ANY,
	WF_PII_DEEP,
} WfPiiStepKind;

typedef struct WfPiiStep
{
	WfPiiStepKind kind;
	const char *name;			/* not terminated */
	int			name_len;
} WfPiiStep;

#define WF_PII_MOST_STEPS 60
#define WF_PII_MOST_PATHS 1000

/* Empty, in CurrentMemoryContext, as is all that is added. */
extern WfPiiPaths *wf_pii_paths_make(void);
extern int	wf_pii_paths_count(const WfPiiPaths *paths);
/* All of both; borrows them. */
extern WfPiiPaths *wf_pii_paths_join(const WfPiiPaths *some, const WfPiiPaths *others);
/* Adds a path; steps are copied. False when there are too many steps or paths. */
extern bool wf_pii_paths_add(WfPiiPaths *paths, const WfPiiStep *steps, int n);
/* The same from text: `customer.email`, `**.iban`, `items.*.name`. NULL, or what is wrong with it. */
extern const char *wf_pii_paths_read(WfPiiPaths *paths, const char *text, int len);

/* All of a list, which a tenant's setting `piiPaths` is; NULL, or what is wrong with one of them, or with the list. */
extern const char *wf_pii_paths_read_all(WfPiiPaths *paths, const JsonbValue *list);

/* Where a walk through JSON stands with regard to each path. */
typedef uint64 *WfPiiPlace;

/* The root, and one level further down, in CurrentMemoryContext; NULL when no path leads there or on from there. */
extern WfPiiPlace wf_pii_place_root(const WfPiiPaths *paths);
extern WfPiiPlace wf_pii_place_member(const WfPiiPaths *paths, WfPiiPlace place, const char *name, int name_len);
extern WfPiiPlace wf_pii_place_element(const WfPiiPaths *paths, WfPiiPlace place, uint32 index);
/* Does a path end here? */
extern bool wf_pii_place_is_marked(const WfPiiPaths *paths, WfPiiPlace place);

/* -- known values (pii_known.c) -- */

typedef struct WfPiiKnown WfPiiKnown;

/* In CurrentMemoryContext, as is what is added. */
extern WfPiiKnown *wf_pii_known_make(void);
/* The strings and numbers of a value are personal from now on, wherever they are. */
extern void wf_pii_known_add(WfPiiKnown *known, const JsonbValue *value);
extern bool wf_pii_known_has(WfPiiKnown *known, const char *text, int len);
/* Bytes to go on by when looking for a text within another: in UTF-8 none is found but at a character's beginning. */
extern int	wf_pii_step(const char *text);
/* The first of them within text[from .. len): the longest that begins there. False: none is there. */
extern bool wf_pii_known_find(WfPiiKnown *known, const char *text, int len, int from, int *begin, int *end);
/* At most `most` of them as an array; NULL when there are none. */
extern Jsonb *wf_pii_known_values(const WfPiiKnown *known, int most);

/* -- tokens (pii.c) -- */

typedef struct WfPii WfPii;

/* For one segment of a run; has a memory context of its own below CurrentMemoryContext. */
extern WfPii *wf_pii_begin(int segment);
/* What is at the paths is known from now on. */
extern void wf_pii_learn(WfPii *pii, const WfPiiPaths *paths, const JsonbValue *value);
/* Each value of an array, or member of an object, is. */
extern void wf_pii_learn_all(WfPii *pii, const Jsonb *values);
/* With tokens for what is at the paths, and for what is known wherever it is; in CurrentMemoryContext. */
extern Jsonb *wf_pii_hide(WfPii *pii, const WfPiiPaths *paths, const JsonbValue *value);
extern char *wf_pii_hide_text(WfPii *pii, const char *text);
/* What the tokens stand for, an object by number; NULL: there are none. */
extern Jsonb *wf_pii_values(const WfPii *pii);
/* So much room they take; 0 for NULL. */
extern Size wf_pii_bytes(const WfPii *pii);
extern Jsonb *wf_pii_known(const WfPii *pii, int most);

extern bool wf_pii_has_token(const char *bytes, Size len);
/* What the tokens of a segment stand for, or NULL. */
typedef const Jsonb *(*WfPiiLookUp) (int segment, void *arg);
/* With values for tokens, or, look_up being NULL, masks; in CurrentMemoryContext. */
extern Jsonb *wf_pii_show(const JsonbValue *value, WfPiiLookUp look_up, void *arg);
extern char *wf_pii_show_text(const char *text, int len, WfPiiLookUp look_up, void *arg);

/* -- erasing (pii_erase.c) -- */

typedef struct WfPiiErase
{
	JsonbValue	value;			/* a string, a number, an object or an array */
	const char *text;			/* of a string or number; else NULL */
	int			text_len;
	const WfPiiPaths *paths;	/* NULL: everywhere, within texts too */
	int64		n_erased;		/* counts up */
} WfPiiErase;

/* May it be there? Looks at bytes only, for what has a text. */
extern bool wf_pii_may_hold(const WfPiiErase *erase, const char *bytes, Size len);
extern Jsonb *wf_pii_erase(WfPiiErase *erase, const JsonbValue *value);
/* NULL: it is not there. Nothing is where there are paths: text has none. */
extern char *wf_pii_erase_text(WfPiiErase *erase, const char *text, int len);

#endif
