/*
 * code.c: who may save code, and what the trail has of it.
 *
 * 1. Code is the source of a node whose block runs it (WF_BLOCK_CODE), whether the node is disabled or not; in a definition with
 *    "javascript": "full" any expression may be some, so all of the definition is.
 * 2. Whoever saves code needs code:write for the workflow. Who has it not may keep what is there: a node of the same id with the same
 *    source in the active or the latest version; a definition with "javascript": "full" that is one of these, whole. Both were saved by
 *    somebody who had the right, or kept what such a one had saved. To make another version the active one is to choose among those.
 * 3. What was saved is told by digests: an entry beside that of the save, of the nodes whose source is not that of the version before.
 *
 * Definitions are read as they are stored: what the graph leaves out counts, too.
 */
#include "postgres.h"

#include "api/api.h"
#include "api/code.h"
#include "base/text.h"
#include "block/block.h"
#include "store/audit.h"

#define MOST_NODES 1000			/* in an entry */

typedef struct Piece
{
	const char *node;
	const char *source;
} Piece;

/* Of one definition. */
typedef struct Code
{
	const Jsonb *definition;	/* NULL: there is none */
	bool		is_full;
	int			n;
	Piece	   *pieces;			/* sorted by node */
} Code;

static int
by_node(const void *a, const void *b)
{
	return strcmp(((const Piece *) a)->node, ((const Piece *) b)->node);
}

static bool
is_full(const JsonbValue *definition)
{
	JsonbValue	settings;
	JsonbValue	value;

	return wf_json_field(definition, "settings", &settings) && wf_json_field(&settings, "javascript", &value) &&
		value.type != jbvNull;
}

/* What the node runs; NULL: it is no such node. */
static const char *
source_of(const JsonbValue *node)
{
	const char *type = wf_json_get_cstring(node, "type");
	const WfBlock *block = type == NULL ? NULL : wf_block_find(type);
	JsonbValue	config;

	if (block == NULL || (block->flags & WF_BLOCK_CODE) == 0 || !wf_json_field(node, "config", &config))
		return NULL;
	return wf_json_get_cstring(&config, "source");
}

/* Reads a definition, as saved now or earlier. */
static Code
read_code(const Jsonb *definition)
{
	Code		code = {.definition = definition};
	JsonbValue	root;
	JsonbValue	nodes;
	JsonbValue	node;
	WfJsonIter	it;

	if (definition == NULL)
		return code;
	wf_json_root(definition, &root);
	code.is_full = is_full(&root);
	if (!wf_json_field(&root, "nodes", &nodes) || !wf_json_is_array(&nodes))
		return code;
	wf_json_iter_begin(&it, &nodes);
	while (wf_json_iter_next(&it, NULL, &node))
	{
		const char *source = source_of(&node);
		const char *id = source == NULL ? NULL : wf_json_get_cstring(&node, "id");

		if (id == NULL)
			continue;
		if (code.pieces == NULL)
			code.pieces = palloc(sizeof(Piece) * wf_json_count(&nodes));
		code.pieces[code.n++] = (Piece) {id, source};
	}
	if (code.n > 1)
		qsort(code.pieces, code.n, sizeof(Piece), by_node);
	return code;
}

static bool
has_piece(const Code *code, const Piece *piece)
{
	const Piece *found = code->n == 0 ? NULL : bsearch(piece, code->pieces, code->n, sizeof(Piece), by_node);

	return found != NULL && strcmp(found->source, piece->source) == 0;
}

static bool
is_same(const Code *a, const Code *b)
{
	JsonbValue	one;
	JsonbValue	other;

	if (a->definition == NULL || b->definition == NULL)
		return false;
	wf_json_root(a->definition, &one);
	wf_json_root(b->definition, &other);
	return wf_json_equal(&one, &other);
}

/* -- the right -- */

pg_noreturn static void
refuse(const WfTenant *tenant, const char *node)
{
	const char *missing = (tenant->narrowed & WF_CODE_WRITE) != 0 ? "given for some workflows only" : "missing";

	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					node != NULL ? errmsg("permission denied to save the code of node \"%s\" in tenant \"%s\"", node, tenant->name) :
					errmsg("permission denied to save a workflow with \"javascript\": \"full\" in tenant \"%s\"", tenant->name),
					errdetail("The permission \"%s\" is %s. Without it, code stays as it is in the active or the latest version.",
							  wf_store_permission_name(WF_CODE_WRITE), missing),
					errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

void
wf_api_check_code(const WfTenant *tenant, const WfWorkflowRow *row, const char *category, const Jsonb *definition,
				  const WfVersionRow *last)
{
	Code		code = read_code(definition);
	Code		latest;
	Code		active;
	WfVersionRow *version;

	if ((code.n == 0 && !code.is_full) || (tenant->permissions & WF_CODE_WRITE) != 0)
		return;
	if (row == NULL ? wf_store_allows_category(tenant, WF_CODE_WRITE, category) :
		wf_store_allows(tenant, WF_CODE_WRITE, &row->workflow_id))
		return;
	latest = read_code(last == NULL ? NULL : last->definition);
	version = row == NULL || row->active_version == 0 || row->active_version == row->last_version ? NULL :
		wf_store_find_version(&tenant->tenant_id, &row->workflow_id, row->active_version);
	active = read_code(version == NULL ? NULL : version->definition);
	if (code.is_full && !is_same(&code, &latest) && !is_same(&code, &active))
		refuse(tenant, NULL);
	for (int i = 0; i < code.n; i++)
		if (!has_piece(&latest, &code.pieces[i]) && !has_piece(&active, &code.pieces[i]))
			refuse(tenant, code.pieces[i].node);
}

/* -- the trail -- */

static void
put_digest(WfJsonWriter *w, const Piece *piece)
{
	uint8		digest[WF_CRYPT_HASH_BYTES];

	if (!wf_crypt_sha256(piece->source, strlen(piece->source), digest))
		elog(ERROR, "could not compute a SHA-256 hash");
	wf_json_put_field_cstring(w, piece->node, wf_text_hex(digest, sizeof(digest)));
}

/* {"version", "javascript", "nodes": {id: digest}}: what `other` has not; NULL: there is no such. */
static Jsonb *
facts_of(const Code *code, const Code *other, int version)
{
	WfJsonWriter *w;
	bool		is_full = code->is_full && !is_same(code, other);
	const Piece **changed = palloc(sizeof(Piece *) * Max(code->n, 1));
	int			n = 0;

	for (int i = 0; i < code->n; i++)
		if (!has_piece(other, &code->pieces[i]))
			changed[n++] = &code->pieces[i];
	if (n == 0 && !is_full)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "version", version);
	if (is_full)
		wf_json_put_field_cstring(w, "javascript", "full");
	wf_json_key(w, "nodes", strlen("nodes"));
	wf_json_begin_object(w);
	for (int i = 0; i < Min(n, MOST_NODES); i++)
		put_digest(w, changed[i]);
	wf_json_end_object(w);
	if (n > MOST_NODES)
		wf_json_put_field_int64(w, "moreNodes", n - MOST_NODES);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

void
wf_api_record_code(const WfTenant *tenant, const WfWorkflowRow *row, const WfVersionRow *last, const WfVersionRow *version)
{
	Code		before = read_code(last == NULL ? NULL : last->definition);
	Code		after = read_code(version->definition);
	uint8		digest[WF_CRYPT_HASH_BYTES];
	Jsonb	   *was = facts_of(&before, &after, row->last_version);
	Jsonb	   *is = facts_of(&after, &before, version->version);

	if (was == NULL && is == NULL)
		return;
	wf_audit_digest(version->definition, digest);
	wf_store_audit(&tenant->tenant_id, &(WfAudit) {.action = "code.change", .object_type = "workflow",
				   .object_id = &row->workflow_id, .object_name = row->name, .before = was, .after = is, .digest = digest});
}
