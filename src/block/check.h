/*
 * check.h: what a block's config schema says, for registry.c, check.c and prepare.c; private to this
 * room.
 */
#ifndef WF_BLOCK_CHECK_H
#define WF_BLOCK_CHECK_H

#include "block/block.h"
#include "schema/schema.h"

/* A config schema, parsed and compiled once per backend. */
typedef struct WfShape
{
	const char *text;			/* the schema's text; identifies it */
	uint32		hash;			/* of the text; 0 for built-in blocks */
	Jsonb	   *document;
	WfSchema   *schema;			/* NULL: `problem` says why */
	const char *problem;
	int			n_bare;			/* paths of bare expressions, such as `cases.*.when` */
	const char **bare;
	int			n_literal;		/* of texts that are no templates whatever they hold */
	const char **literal;
	int			n_fixed;		/* paths of what may not hold a template, with all below */
	const char **fixed;
	int			n_secret;		/* paths of secret-capable fields, with all below */
	const char **secret;
} WfShape;

/* The shape of a block's config, or NULL when it has no schema. Lives until the backend ends, for
 * custom blocks until many others were asked for: do not keep it. */
extern const WfShape *wf_block_shape(const WfBlock *block);

/* What the string at this path is, as WfStringKindOf; `shape` is a WfShape. */
extern WfStringKind wf_block_shape_kind_of(void *shape, const char *path);
/* May the value at this path hold no template? */
extern bool wf_block_shape_is_fixed(const WfShape *shape, const char *path);

/* May expressions in the value at this path name secrets? */
extern bool wf_block_shape_is_secret(const WfShape *shape, const char *path);

/* Adds what is wrong with the node's config, as WfGraphBlocks.check. */
extern void wf_block_check(const WfNode *node, WfDiagnostics *found);

/* Index into the table of built-in blocks, or -1; and how many there are. */
extern int	wf_block_builtin_index(const char *type);
extern int	wf_block_builtin_count(void);

#endif
