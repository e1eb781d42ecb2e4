/*
 * compile.c: from a JSON document to a graph of nodes.
 *
 * 1. Index. A walk over the document, through the keywords that hold subschemas and no others, notes
 *    every subschema object, the resource (`$id`) that it belongs to, and every anchor. So what merely
 *    looks like an identifier (inside `enum`, `const`, `examples`, an unknown keyword) is none.
 * 2. Compile. Each subschema object becomes one WfSchemaNode, however often it is referred to; the
 *    object's address in our copy of the document is its identity, and the node is entered in the
 *    index before its keywords are compiled, so that cycles close by themselves.
 * 3. Link. References are queued while nodes are made and resolved from a loop, not by recursion: a
 *    chain of ten thousand references costs no stack. A target in another document brings that
 *    document in (a registered source, or one of the dialect's own), which is indexed in turn;
 *    nothing is ever fetched.
 * 4. When a `$dynamicRef` is anywhere, all dynamic anchors of the documents that came in are
 *    compiled, as evaluation may arrive at any of them.
 *
 * The first problem found ends compilation; it is a value, nothing is thrown. The nodes, and a copy
 * of the documents that they point into, live in one context below the caller's.
 *
 * Validating a schema against the meta-schema first would say the same less clearly and cost a
 * hundred times as much: each keyword checks its own value as it is compiled.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/compat.h"
#include "base/text.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

static bool index_schema(WfSchemaCompiler *c, const JsonbValue *value, WfSchemaResource *resource,
						 const WfSchemaLocation *location, bool is_document_root);

void
wf_schema_problem(WfSchemaCompiler *c, const WfSchemaLocation *location, const char *keyword, const char *fmt, ...)
{
	StringInfoData message;

	if (c->failed)
		return;
	c->failed = true;
	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	c->problem.message = message.data;
	c->problem.keyword = keyword;
	c->problem.keyword_path = wf_schema_location_text(location, keyword);
	c->problem.instance_path = "";
	c->problem.property = NULL;
}

/* -- places -- */

static WfSchemaLocation *
make_location(const WfSchemaLocation *parent, const char *keyword, const char *name, int name_len, int index)
{
	WfSchemaLocation *location = palloc0(sizeof(WfSchemaLocation));

	location->parent = parent;
	location->document = parent->document;
	location->keyword = keyword;
	location->name = name;
	location->name_len = name_len;
	location->index = index;
	return location;
}

static WfSchemaEntry *
find_entry(WfSchemaCompiler *c, const JsonbValue *value)
{
	const JsonbContainer *container;

	if (value->type != jbvBinary)
		return NULL;
	container = value->val.binary.data;
	return hash_search(c->entries, &container, HASH_FIND, NULL);
}

/* -- resources and documents -- */

/* The length of a URI without its fragment. */
static int
uri_len(const char *uri)
{
	return strcspn(uri, "#");
}

static bool
same_uri(const char *a, const char *b, int b_len)
{
	int			a_len = uri_len(a);

	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static WfSchemaResource *
add_resource(WfSchemaCompiler *c, const char *uri, WfSchemaDocument *document, const JsonbValue *value,
			 const WfSchemaLocation *location, uint32 vocabularies)
{
	WfSchemaResource *resource = palloc0(sizeof(WfSchemaResource));

	resource->uri = uri;
	resource->document = document;
	resource->value = *value;
	resource->location = location;
	resource->vocabularies = vocabularies;
	c->resources = lappend(c->resources, resource);
	return resource;
}

/* Indexes a document and returns its root resource; NULL after a problem. */
static WfSchemaResource *
add_document(WfSchemaCompiler *c, const char *uri, const Jsonb *json, bool is_root)
{
	WfSchemaDocument *document = palloc0(sizeof(WfSchemaDocument));
	WfSchemaResource *resource;
	JsonbValue	value;

	document->uri = pnstrdup(uri, uri_len(uri));
	document->is_root = is_root;
	document->json = json;
	document->location.document = document;
	document->location.index = -1;
	c->documents = lappend(c->documents, document);
	wf_json_root(json, &value);
	resource = add_resource(c, document->uri, document, &value, &document->location, WF_VOCABULARY_DEFAULT);
	if (value.type == jbvBinary && !index_schema(c, &value, resource, &document->location, true))
		return NULL;
	return resource;
}

static const Jsonb *
copy_jsonb(const Jsonb *json)
{
	Jsonb	   *copy = palloc(VARSIZE(json));

	memcpy(copy, json, VARSIZE(json));
	return copy;
}

/* True when a registered source goes by this URI, by registration or by its own `$id`. */
static bool
source_is(const WfSchemaSource *source, const char *uri, int len)
{
	JsonbValue	root,
				id;
	bool		is_it;
	char	   *text;

	if (same_uri(source->uri, uri, len))
		return true;
	wf_json_root(source->document, &root);
	if (!wf_json_field(&root, "$id", &id) || id.type != jbvString)
		return false;
	text = wf_schema_uri_resolve(source->uri, wf_json_cstring(&id));
	is_it = same_uri(text, uri, len);
	pfree(text);
	return is_it;
}

/*
 * The resource with this URI: known already, or in a registered source, or the dialect's own. NULL
 * when there is none, or after a problem in the document that it is in.
 */
static WfSchemaResource *
find_resource(WfSchemaCompiler *c, const char *uri)
{
	int			len = uri_len(uri);
	ListCell   *lc;
	char	   *plain;
	const char *text;

	foreach(lc, c->resources)
	{
		WfSchemaResource *resource = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (same_uri(resource->uri, uri, len) || (resource->location == &resource->document->location &&
												  same_uri(resource->document->uri, uri, len)))
			return resource;
	}
	for (int i = 0; i < c->n_sources; i++)
	{
		if (source_is(&c->sources[i], uri, len))
			return add_document(c, c->sources[i].uri, copy_jsonb(c->sources[i].document), false);
	}
	plain = pnstrdup(uri, len);
	text = wf_schema_metaschema(plain);
	return text == NULL ? NULL : add_document(c, plain, wf_json_parse(text), false);
}

/* -- the index -- */

/* Sets the vocabularies of a resource from its `$schema`. */
static void
read_dialect(WfSchemaCompiler *c, WfSchemaResource *resource, const JsonbValue *schema)
{
	JsonbValue	value,
				vocabulary,
				key,
				required;
	WfSchemaResource *meta;
	WfJsonIter	it;
	char	   *uri;

	if (!wf_json_field(schema, "$schema", &value))
		return;
	uri = wf_json_cstring(&value);
	if (uri == NULL)
	{
		wf_schema_problem(c, resource->location, "$schema", "must be a string");
		return;
	}
	if (same_uri(wf_schema_dialect_uri, uri, uri_len(uri)))
	{
		resource->vocabularies = WF_VOCABULARY_DEFAULT;
		return;
	}
	meta = find_resource(c, uri);
	if (meta == NULL || !wf_json_field(&meta->value, "$vocabulary", &vocabulary) || !wf_json_is_object(&vocabulary))
	{
		wf_schema_problem(c, resource->location, "$schema",
						  "dialect %s is not known; schemas are of JSON Schema 2020-12 (\"%s\")",
						  wf_schema_show_name(uri, strlen(uri)), wf_schema_dialect_uri);
		return;
	}
	resource->vocabularies = WF_VOCABULARY_CORE;
	wf_json_iter_begin(&it, &vocabulary);
	while (wf_json_iter_next(&it, &key, &required))
	{
		uint32		bit = wf_schema_vocabulary(key.val.string.val, key.val.string.len);

		resource->vocabularies |= bit;
		if (bit == 0 && required.type == jbvBool && required.val.boolean)
			wf_schema_problem(c, resource->location, "$schema", "its dialect requires the vocabulary %s, which is not known",
							  wf_schema_show_name(key.val.string.val, key.val.string.len));
	}
	if (resource->vocabularies & WF_VOCABULARY_ASSERTION)
		resource->vocabularies |= WF_VOCABULARY_FORMAT;
}

/* The resource that a schema object begins by its `$id`; `resource` itself when it has none. */
static WfSchemaResource *
begin_resource(WfSchemaCompiler *c, const JsonbValue *schema, WfSchemaResource *resource,
			   const WfSchemaLocation *location, bool is_document_root)
{
	JsonbValue	id;
	char	   *uri;
	ListCell   *lc;

	if (!wf_json_field(schema, "$id", &id))
		return resource;
	if (id.type != jbvString)
	{
		wf_schema_problem(c, location, "$id", "must be a string");
		return NULL;
	}
	uri = wf_json_cstring(&id);
	if (!wf_schema_uri_valid(uri, strlen(uri), WF_URI_REFERENCE | WF_URI_IRI))
	{
		wf_schema_problem(c, location, "$id", "must be a URI reference");
		return NULL;
	}
	if (uri[uri_len(uri)] == '#' && uri[uri_len(uri) + 1] != '\0')
	{
		wf_schema_problem(c, location, "$id", "must not have a fragment; use \"$anchor\"");
		return NULL;
	}
	uri = wf_schema_uri_resolve(resource->uri, uri);
	uri[uri_len(uri)] = '\0';
	if (is_document_root)
	{
		resource->uri = uri;
		return resource;
	}
	foreach(lc, c->resources)
	{
		WfSchemaResource *other = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (other->document == resource->document && strcmp(other->uri, uri) == 0)
		{
			wf_schema_problem(c, location, "$id", "is the same as that of the schema at \"%s\"",
							  wf_schema_location_text(other->location, NULL));
			return NULL;
		}
	}
	return add_resource(c, uri, resource->document, schema, location, resource->vocabularies);
}

/* An anchor's name: [A-Za-z_][-A-Za-z0-9._]* */
static bool
anchor_name_valid(const char *name, int len)
{
	if (len == 0 || !(isalpha((unsigned char) name[0]) || name[0] == '_'))
		return false;
	for (int i = 1; i < len; i++)
	{
		if (!isalnum((unsigned char) name[i]) && strchr("-._", name[i]) == NULL)
			return false;
	}
	return true;
}

static WfSchemaAnchor *
find_anchor(const WfSchemaResource *resource, const char *name, int len)
{
	ListCell   *lc;

	foreach(lc, resource->anchors)
	{
		WfSchemaAnchor *anchor = lfirst(lc);

		if (anchor->name_len == len && memcmp(anchor->name, name, len) == 0)
			return anchor;
	}
	return NULL;
}

static bool
add_anchor(WfSchemaCompiler *c, const JsonbValue *schema, WfSchemaResource *resource,
		   const WfSchemaLocation *location, const char *keyword, bool dynamic)
{
	JsonbValue	name;
	WfSchemaAnchor *anchor;

	if (!wf_json_field(schema, keyword, &name))
		return true;
	if (name.type != jbvString || !anchor_name_valid(name.val.string.val, name.val.string.len))
	{
		wf_schema_problem(c, location, keyword,
						  "must be a name of letters, digits, \"-\", \".\" and \"_\" that begins with a letter or \"_\"");
		return false;
	}
	anchor = find_anchor(resource, name.val.string.val, name.val.string.len);
	if (anchor != NULL && anchor->value.val.binary.data != schema->val.binary.data)
	{
		wf_schema_problem(c, location, keyword, "is the same as that of the schema at \"%s\"",
						  wf_schema_location_text(anchor->location, NULL));
		return false;
	}
	if (anchor == NULL)
	{
		anchor = palloc0(sizeof(WfSchemaAnchor));
		resource->anchors = lappend(resource->anchors, anchor);
	}
	anchor->name = name.val.string.val;
	anchor->name_len = name.val.string.len;
	anchor->dynamic |= dynamic;
	anchor->value = *schema;
	anchor->location = location;
	resource->has_dynamic |= dynamic;
	return true;
}

/* Indexes what one keyword holds. */
static bool
index_keyword(WfSchemaCompiler *c, const WfSchemaKeyword *keyword, const JsonbValue *value,
			  WfSchemaResource *resource, const WfSchemaLocation *location)
{
	WfJsonIter	it;
	JsonbValue	key,
				member;
	bool		is_object = wf_json_is_object(value);

	if (keyword->holds == WF_SCHEMA_HOLDS_NONE || value->type != jbvBinary)
		return true;
	if (keyword->holds == WF_SCHEMA_HOLDS_ONE)
		return !is_object ||
			index_schema(c, value, resource, make_location(location, keyword->name, NULL, 0, -1), false);
	if (is_object != (keyword->holds != WF_SCHEMA_HOLDS_LIST))
		return true;			/* wrong, which compiling will say */
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		if (!wf_json_is_object(&member))
			continue;
		if (!index_schema(c, &member, resource,
						  is_object ? make_location(location, keyword->name, key.val.string.val, key.val.string.len, -1)
						  : make_location(location, keyword->name, NULL, 0, it.index - 1), false))
			return false;
	}
	return true;
}

/* Enters a schema object and all below it. False after a problem. */
static bool
index_schema(WfSchemaCompiler *c, const JsonbValue *value, WfSchemaResource *resource,
			 const WfSchemaLocation *location, bool is_document_root)
{
	WfJsonIter	it;
	JsonbValue	key,
				member;
	WfSchemaEntry *entry;
	const JsonbContainer *container = value->val.binary.data;
	bool		found;

	CHECK_FOR_INTERRUPTS();
	if (stack_is_too_deep())
	{
		wf_schema_problem(c, location, NULL, "is nested too deeply");
		return false;
	}
	if (!wf_json_is_object(value))
		return true;
	resource = begin_resource(c, value, resource, location, is_document_root);
	if (resource == NULL)
		return false;
	if (resource->location == location)
		read_dialect(c, resource, value);
	entry = hash_search(c->entries, &container, HASH_ENTER, &found);
	if (found)
		return true;
	entry->resource = resource;
	entry->location = location;
	entry->node = NULL;
	if (c->failed || !add_anchor(c, value, resource, location, "$anchor", false) ||
		!add_anchor(c, value, resource, location, "$dynamicAnchor", true))
		return false;
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		const WfSchemaKeyword *keyword = wf_schema_keyword_find(key.val.string.val, key.val.string.len);

		if (keyword != NULL && !index_keyword(c, keyword, &member, resource, location))
			return false;
	}
	return true;
}

/* -- nodes -- */

/* The node of a schema; one already made is used again. NULL after a problem. */
static WfSchemaNode *
compile_schema(WfSchemaCompiler *c, const JsonbValue *value, WfSchemaResource *resource,
			   const WfSchemaLocation *location, const char *keyword)
{
	WfSchemaEntry *entry = find_entry(c, value);
	WfSchemaNode *node;

	if (c->failed)
		return NULL;
	if (entry != NULL && entry->node != NULL)
		return entry->node;
	if (stack_is_too_deep())
	{
		wf_schema_problem(c, location, NULL, "is nested too deeply");
		return NULL;
	}
	if (value->type != jbvBool && !wf_json_is_object(value))
	{
		wf_schema_problem(c, location, NULL, "must be a schema: an object or a boolean");
		return NULL;
	}
	node = palloc0(sizeof(WfSchemaNode));
	node->resource = entry != NULL ? entry->resource : resource;
	node->location = entry != NULL ? entry->location : location;
	node->is_boolean = value->type == jbvBool;
	if (node->is_boolean)
	{
		node->boolean = value->val.boolean;
		return node;
	}
	if (entry == NULL)
	{
		/* a place that no keyword leads to, pointed at by a reference */
		if (!index_schema(c, value, resource, location, false))
			return NULL;
		entry = find_entry(c, value);
		node->resource = entry->resource;
	}
	entry->node = node;
	wf_schema_keywords_compile(c, node, value);
	return c->failed ? NULL : node;
}

/*
 * The node of the subschema that `keyword` of `parent` holds, at member `name` or element `index`
 * (NULL and -1: it is the keyword's value itself). NULL after a problem.
 */
WfSchemaNode *
wf_schema_compile_child(WfSchemaCompiler *c, const WfSchemaNode *parent, const JsonbValue *value,
						const char *keyword, const char *name, int name_len, int index)
{
	WfSchemaEntry *entry = find_entry(c, value);
	const WfSchemaLocation *location = entry != NULL ? entry->location :
		make_location(parent->location, keyword, name, name_len, index);

	return compile_schema(c, value, unconstify(WfSchemaResource *, parent->resource), location, keyword);
}

/* -- references -- */

/* Queues a reference of `node`; `ref` is filled when all nodes at hand are made. */
void
wf_schema_compile_ref(WfSchemaCompiler *c, const WfSchemaNode *node, const JsonbValue *value, bool dynamic,
					  WfSchemaRef *ref)
{
	WfSchemaPending *pending = palloc0(sizeof(WfSchemaPending));

	pending->ref = ref;
	pending->resource = node->resource;
	pending->location = node->location;
	pending->keyword = dynamic ? "$dynamicRef" : "$ref";
	pending->reference = wf_json_cstring(value);
	pending->dynamic = dynamic;
	c->pending = lappend(c->pending, pending);
	c->has_dynamic_ref |= dynamic;
}

/* Takes one token off a JSON Pointer, unescaped in place; NULL when the escape is malformed. */
static char *
pointer_token(char **pointer)
{
	char	   *token = *pointer + 1;
	char	   *in = token;
	char	   *out = token;

	while (*in != '\0' && *in != '/')
	{
		if (*in == '~' && in[1] != '0' && in[1] != '1')
			return NULL;
		if (*in == '~')
		{
			*out++ = in[1] == '0' ? '~' : '/';
			in += 2;
		}
		else
			*out++ = *in++;
	}
	*pointer = in;
	if (out < in)
		*out = '\0';
	return token;
}

/* Element of an array by a pointer's token. */
static bool
element_by_token(const JsonbValue *array, const char *token, int len, JsonbValue *out)
{
	if (len == 0 || len > 9 || strspn(token, "0123456789") < len || (len > 1 && token[0] == '0'))
		return false;
	return wf_json_element(array, strtoul(token, NULL, 10), out);
}

/*
 * Follows a JSON Pointer from a resource's root; resource and location follow along, as embedded
 * resources may be crossed. False when it leads nowhere.
 */
static bool
follow_pointer(WfSchemaCompiler *c, char *pointer, WfSchemaResource **resource, JsonbValue *value,
			   const WfSchemaLocation **location)
{
	while (*pointer != '\0')
	{
		char	   *rest = pointer;
		char	   *token = pointer_token(&rest);
		JsonbValue	child;
		WfSchemaEntry *entry;
		int			len;

		CHECK_FOR_INTERRUPTS();
		if (token == NULL)
			return false;
		token = pnstrdup(token, strnlen(token, rest - token));
		len = strlen(token);
		if (!wf_json_get(value, token, len, &child) && !element_by_token(value, token, len, &child))
			return false;
		*value = child;
		entry = find_entry(c, value);
		if (entry != NULL)
		{
			*resource = entry->resource;
			*location = entry->location;
		}
		else
			*location = make_location(*location, NULL, token, len, -1);
		pointer = rest;
	}
	return true;
}

static void
link_ref(WfSchemaCompiler *c, WfSchemaPending *pending)
{
	char	   *uri = wf_schema_uri_resolve(pending->resource->uri, pending->reference);
	WfSchemaResource *resource = find_resource(c, uri);
	char	   *fragment = uri + uri_len(uri);
	const WfSchemaLocation *location;
	WfSchemaAnchor *anchor = NULL;
	JsonbValue	value;
	bool		found = true;

	if (c->failed)
		return;
	if (resource == NULL)
	{
		*fragment = '\0';
		wf_schema_problem(c, pending->location, pending->keyword,
						  "refers to the schema %s, which is neither in this document nor registered",
						  wf_schema_show_name(uri, strlen(uri)));
		return;
	}
	location = resource->location;
	value = resource->value;
	fragment += *fragment == '#';
	if (!wf_schema_uri_decode(fragment))
		found = false;
	else if (*fragment == '/')
		found = follow_pointer(c, pstrdup(fragment), &resource, &value, &location);
	else if (*fragment != '\0')
	{
		anchor = find_anchor(resource, fragment, strlen(fragment));
		found = anchor != NULL;
		if (found)
		{
			value = anchor->value;
			location = anchor->location;
		}
	}
	if (!found)
	{
		wf_schema_problem(c, pending->location, pending->keyword, "refers to %s, where nothing is",
						  wf_schema_show_name(pending->reference, strlen(pending->reference)));
		return;
	}
	if (pending->dynamic && anchor != NULL && anchor->dynamic)
		pending->ref->dynamic_name = anchor->name = pnstrdup(anchor->name, anchor->name_len);
	pending->ref->target = compile_schema(c, &value, resource, location, pending->keyword);
}

/* Makes the nodes of dynamic anchors that have none yet; true when there were any. */
static bool
compile_dynamic_anchors(WfSchemaCompiler *c)
{
	bool		any = false;
	ListCell   *lc,
			   *la;

	foreach(lc, c->resources)
	{
		WfSchemaResource *resource = lfirst(lc);

		foreach(la, resource->anchors)
		{
			WfSchemaAnchor *anchor = lfirst(la);

			if (!anchor->dynamic || anchor->node != NULL)
				continue;
			anchor->node = compile_schema(c, &anchor->value, resource, anchor->location, "$dynamicAnchor");
			if (anchor->node == NULL)
				return false;
			any = true;
		}
	}
	return any;
}

static void
link_all(WfSchemaCompiler *c)
{
	do
	{
		while (c->pending != NIL && !c->failed)
		{
			List	   *batch = c->pending;
			ListCell   *lc;

			c->pending = NIL;
			foreach(lc, batch)
			{
				CHECK_FOR_INTERRUPTS();
				if (!c->failed)
					link_ref(c, lfirst(lc));
			}
			list_free(batch);
		}
	} while (!c->failed && c->has_dynamic_ref && compile_dynamic_anchors(c));
}

/* -- the whole -- */

/* A C string of the schema's context in the caller's. */
static const char *
keep(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

WfSchema *
wf_schema_compile(const Jsonb *document, int n_sources, const WfSchemaSource *sources, int flags, WfSchemaError *error)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "workflow schema", ALLOCSET_START_SMALL_SIZES);
	HASHCTL		ctl = {.keysize = sizeof(JsonbContainer *), .entrysize = sizeof(WfSchemaEntry)};
	WfSchemaCompiler c = {.n_sources = n_sources, .sources = sources};
	JsonbValue	value;

	MemoryContextSwitchTo(memory);
	c.schema = palloc0(sizeof(WfSchema));
	c.schema->memory = memory;
	c.schema->flags = flags;
	ctl.hcxt = memory;
	c.entries = hash_create("workflow schema index", 32, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	c.schema->resource = add_document(&c, "", copy_jsonb(document), true);
	if (!c.failed)
	{
		wf_json_root(((WfSchemaDocument *) linitial(c.documents))->json, &value);
		c.schema->root = compile_schema(&c, &value, c.schema->resource, c.schema->resource->location, NULL);
		link_all(&c);
	}
	hash_destroy(c.entries);
	MemoryContextSwitchTo(caller);
	if (!c.failed)
		return c.schema;
	if (error != NULL)
	{
		error->instance_path = "";
		error->keyword_path = keep(c.problem.keyword_path);
		error->keyword = keep(c.problem.keyword);
		error->message = keep(c.problem.message);
		error->property = NULL;
	}
	MemoryContextDelete(memory);
	return NULL;
}
