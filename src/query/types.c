/*
 * types.c: what this room knows of a PostgreSQL type, once per type and backend.
 *
 * An entry says how a JSON value becomes a Datum of the type and how a Datum becomes JSON, with the
 * functions looked up. Entries are never removed, so a pointer to one is good for ever; a change of
 * the type (or of another with its OID, after a drop) makes the entry invalid and the next look-up
 * fills it again. wf_query_type is called when a plan is prepared, not for each value.
 */
#include "query/internal.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static HTAB *types = NULL;
static MemoryContext types_memory = NULL;

/* A type changed: entries with its hash are filled again when next asked for. */
static void
type_changed(Datum arg, int cache, uint32 hash)
{
	HASH_SEQ_STATUS all;
	WfQueryType *type;

	if (types == NULL)
		return;
	hash_seq_init(&all, types);
	while ((type = hash_seq_search(&all)) != NULL)
		if (hash == 0 || type->hash == hash)
			type->valid = false;
}

void
wf_query_types_init(void)
{
	CacheRegisterSyscacheCallback(TYPEOID, type_changed, (Datum) 0);
}

static void
create_table(void)
{
	HASHCTL		control = {0};

	types_memory = AllocSetContextCreate(CacheMemoryContext, "workflow types", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(WfQueryType);
	control.hcxt = types_memory;
	types = hash_create("workflow types", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static WfBindKind
bind_kind(Oid oid, char typtype, Oid element)
{
	switch (oid)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return WF_BIND_TEXT;
		case BOOLOID:
			return WF_BIND_BOOL;
		case INT2OID:
			return WF_BIND_INT2;
		case INT4OID:
			return WF_BIND_INT4;
		case INT8OID:
			return WF_BIND_INT8;
		case FLOAT8OID:
			return WF_BIND_FLOAT8;
		case NUMERICOID:
			return WF_BIND_NUMERIC;
		case JSONBOID:
			return WF_BIND_JSONB;
		case JSONOID:
			return WF_BIND_JSON;
		default:
			break;
	}
	if (OidIsValid(element))
		return WF_BIND_ARRAY;
	if (typtype == TYPTYPE_COMPOSITE)
		return WF_BIND_COMPOSITE;
	return WF_BIND_INPUT;
}

static WfEmitKind
emit_kind(Oid oid)
{
	switch (oid)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return WF_EMIT_TEXT;
		case BOOLOID:
			return WF_EMIT_BOOL;
		case INT2OID:
			return WF_EMIT_INT2;
		case INT4OID:
			return WF_EMIT_INT4;
		case INT8OID:
			return WF_EMIT_INT8;
		case NUMERICOID:
			return WF_EMIT_NUMERIC;
		case JSONBOID:
			return WF_EMIT_JSONB;
		case UUIDOID:
			return WF_EMIT_UUID;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return WF_EMIT_DATETIME;
		case FLOAT4OID:
		case FLOAT8OID:
			return WF_EMIT_FLOAT;
		case VOIDOID:
			return WF_EMIT_VOID;
		default:
			return WF_EMIT_ANY;
	}
}

/* to_jsonb asks for the type of its argument through fn_expr. */
static void
fill_to_jsonb(WfQueryType *type)
{
	Param	   *argument = makeNode(Param);

	argument->paramkind = PARAM_EXTERN;
	argument->paramid = 1;
	argument->paramtype = type->oid;
	argument->paramtypmod = -1;
	argument->paramcollid = get_typcollation(type->oid);
	argument->location = -1;
	fmgr_info_cxt(F_TO_JSONB, &type->to_jsonb, types_memory);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
											 InvalidOid, COERCE_EXPLICIT_CALL), &type->to_jsonb);
	type->has_to_jsonb = true;
}

static void
fill(WfQueryType *type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type->oid));
	Form_pg_type form;
	MemoryContext old;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("type with OID %u does not exist", type->oid)));
	form = (Form_pg_type) GETSTRUCT(tuple);
	type->hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type->oid));
	type->length = form->typlen;
	type->by_value = form->typbyval;
	type->align = form->typalign;
	type->category = form->typcategory;
	type->array = form->typarray;
	type->element = get_element_type(type->oid);
	type->base = type->oid;
	type->domain_state = NULL;
	type->bind = bind_kind(type->oid, form->typtype, type->element);
	if (form->typtype == TYPTYPE_DOMAIN)
	{
		WfBindKind	below;

		type->base = getBaseType(type->oid);
		below = bind_kind(type->base, get_typtype(type->base), get_element_type(type->base));
		if (below == WF_BIND_ARRAY || below == WF_BIND_COMPOSITE)
			type->bind = WF_BIND_DOMAIN;
	}
	type->emit = emit_kind(type->oid);

	old = MemoryContextSwitchTo(types_memory);
	if (form->typtype != TYPTYPE_PSEUDO)
	{
		Oid			input;

		getTypeInputInfo(type->oid, &input, &type->io_param);
		fmgr_info_cxt(input, &type->input, types_memory);
	}
	if (type->emit != WF_EMIT_VOID)
		fill_to_jsonb(type);
	MemoryContextSwitchTo(old);
	ReleaseSysCache(tuple);
	type->valid = true;
}

WfQueryType *
wf_query_type(Oid oid)
{
	WfQueryType *type;
	bool		found;

	if (types == NULL)
		create_table();
	type = hash_search(types, &oid, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) type + sizeof(Oid), 0, sizeof(WfQueryType) - sizeof(Oid));
		type->oid = oid;
	}
	if (!type->valid)
		fill(type);
	return type;
}
