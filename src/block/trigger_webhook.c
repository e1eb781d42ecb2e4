/*
 * trigger_webhook.c: trigger.webhook, the node at which a run begins that an HTTP request starts.
 *
 * Which members each type of `auth` has is in one table. What they hold is judged by hook/ as far as it is known when the
 * definition is saved, which a secret's value is not. What happens when a request comes is the engine's (engine/webhook.c);
 * that no other workflow has the path is checked there, too.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/incoming.h"
#include "block/support.h"
#include "hook/auth.h"
#include "schema/schema.h"

#define MOST_TOLERANCE_MS (7 * 24 * 60 * 60 * INT64CONST(1000))

static const char *const out_ports[] = {"out", NULL};

/* -- auth -- */

typedef enum MemberKind
{
	MEMBER_WORD,				/* read as it is: no secret in it */
	MEMBER_TEXT,				/* may name secrets */
	MEMBER_TEXTS,				/* a list of such */
	MEMBER_SET,					/* keys: such a text, or an object */
	MEMBER_AUDIENCE,			/* a text or a list of texts */
	MEMBER_TOLERANCE,
} MemberKind;

typedef struct Member
{
	const char *type;
	const char *key;
	int			group;			/* one of the group is required; 0: it is not */
	MemberKind	kind;
} Member;

static const Member members[] = {
	{"basic", "username", 1, MEMBER_TEXT},
	{"basic", "password", 2, MEMBER_TEXT},
	{"basic", "passwords", 2, MEMBER_TEXTS},
	{"header", "name", 1, MEMBER_WORD},
	{"header", "value", 2, MEMBER_TEXT},
	{"header", "values", 2, MEMBER_TEXTS},
	{"hmac", "scheme", 1, MEMBER_WORD},
	{"hmac", "secret", 2, MEMBER_TEXT},
	{"hmac", "secrets", 2, MEMBER_TEXTS},
	{"hmac", "tolerance", 0, MEMBER_TOLERANCE},
	{"jwt", "algorithm", 1, MEMBER_WORD},
	{"jwt", "key", 2, MEMBER_TEXT},
	{"jwt", "keys", 2, MEMBER_TEXTS},
	{"jwt", "jwks", 2, MEMBER_SET},
	{"jwt", "audience", 0, MEMBER_AUDIENCE},
	{"jwt", "issuer", 0, MEMBER_WORD},
};

#define MOST_GROUP 2

static const Member *
find_member(const char *type, const char *key)
{
	for (int i = 0; i < lengthof(members); i++)
		if (strcmp(members[i].type, type) == 0 && strcmp(members[i].key, key) == 0)
			return &members[i];
	return NULL;
}

/* `It takes "scheme", "secret" ...` */
static const char *
hint_of(const char *type)
{
	StringInfoData hint;
	bool		has_any = false;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "It takes");
	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].type, type) != 0)
			continue;
		appendStringInfo(&hint, "%s \"%s\"", has_any ? "," : "", members[i].key);
		has_any = true;
	}
	appendStringInfoString(&hint, has_any ? "." : " nothing else.");
	return hint.data;
}

/* A text that is there and not empty; with `may_be_secret`, what is in braces must be a secret, else nothing may be. */
static void
check_text(const WfNode *node, const JsonbValue *value, const char *where, bool may_be_secret, WfDiagnostics *found)
{
	const char *at;
	const char *end;
	const char *text;
	int			bytes;
	WfPieceKind kind;

	if (!wf_json_is_string(value))
	{
		wf_block_report(node, found, where, NULL, "\"%s\" must be a string, not %s", where, wf_json_type_name(value));
		return;
	}
	at = value->val.string.val;
	end = at + value->val.string.len;
	if (at == end)
		wf_block_report(node, found, where, NULL, "\"%s\" is empty", where);
	while ((kind = wf_block_incoming_piece(&at, end, &text, &bytes)) != WF_PIECE_END)
	{
		if (kind == WF_PIECE_TEXT || (kind == WF_PIECE_SECRET && may_be_secret))
			continue;
		wf_block_report(node, found, where, may_be_secret ? "It is read when a request comes, before there is a run: \"{{ $secrets.NAME }}\" is all that it takes." :
						"It is read when the workflow is saved.", "\"%s\" cannot hold %s", where,
						may_be_secret ? "this template" : "a template");
		return;
	}
}

static void
check_texts(const WfNode *node, const JsonbValue *list, const char *where, bool may_be_secret, WfDiagnostics *found)
{
	WfJsonIter	it;
	JsonbValue	value;
	int			i = 0;

	if (!wf_json_is_array(list) || wf_json_count(list) == 0)
	{
		wf_block_report(node, found, where, NULL, "\"%s\" must be a list of one string or more", where);
		return;
	}
	wf_json_iter_begin(&it, list);
	while (wf_json_iter_next(&it, NULL, &value))
		check_text(node, &value, psprintf("%s[%d]", where, i++), may_be_secret, found);
}

static void
check_tolerance(const WfNode *node, const JsonbValue *value, const char *where, WfDiagnostics *found)
{
	char	   *text = wf_json_is_string(value) ? wf_json_cstring(value) :
		value->type == jbvNumeric ? wf_json_text(value) : NULL;
	int64		ms;

	if (text == NULL || !wf_text_duration_ms(text, &ms) || ms > MOST_TOLERANCE_MS)
		wf_block_report(node, found, where, "Write an interval (5 minutes), ISO 8601 (PT5M), or a number of seconds.",
						"\"%s\" is no duration up to a week", where);
}

static void
check_member(const WfNode *node, const Member *member, const JsonbValue *value, WfDiagnostics *found)
{
	const char *where = psprintf("auth.%s", member->key);

	switch (member->kind)
	{
		case MEMBER_WORD:
			check_text(node, value, where, false, found);
			break;
		case MEMBER_TEXT:
			check_text(node, value, where, true, found);
			break;
		case MEMBER_TEXTS:
			check_texts(node, value, where, true, found);
			break;
		case MEMBER_SET:
			if (!wf_json_is_object(value))
				check_text(node, value, where, true, found);
			break;
		case MEMBER_AUDIENCE:
			if (wf_json_is_array(value))
				check_texts(node, value, where, false, found);
			else
				check_text(node, value, where, false, found);
			break;
		case MEMBER_TOLERANCE:
			check_tolerance(node, value, where, found);
			break;
	}
}

/* `"secret" or "secrets"` */
static const char *
names_of_group(const char *type, int group)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(members); i++)
		if (strcmp(members[i].type, type) == 0 && members[i].group == group)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " or " : "", members[i].key);
	return names.data;
}

static void
check_groups(const WfNode *node, const char *type, const JsonbValue *auth, WfDiagnostics *found)
{
	JsonbValue	unused;

	for (int group = 1; group <= MOST_GROUP; group++)
	{
		bool		exists = false;
		int			n = 0;

		for (int i = 0; i < lengthof(members); i++)
		{
			if (strcmp(members[i].type, type) != 0 || members[i].group != group)
				continue;
			exists = true;
			n += wf_json_field(auth, members[i].key, &unused) ? 1 : 0;
		}
		if (exists && n != 1)
			wf_block_report(node, found, "auth", NULL, n == 0 ? "auth \"%s\" needs %s" : "auth \"%s\" takes only one of %s", type,
							names_of_group(type, group));
	}
}

/* Whether hook/ could use it, whoever asks; for an auth without secrets to come. */
static void
check_usable(const WfNode *node, const JsonbValue *auth, WfDiagnostics *found)
{
	const char *problem;
	WfHookCheck check = {.auth = auth, .headers = wf_hook_headers(NULL, &problem), .body = "", .now = 0};
	WfHookVerdict verdict;

	wf_hook_check(&check, &verdict);
	if (!verdict.accepted && verdict.unusable)
		wf_block_report(node, found, "auth", NULL, "%s", verdict.reason);
}

static bool
is_type(const char *type)
{
	for (int i = 0; i < lengthof(members); i++)
		if (strcmp(members[i].type, type) == 0)
			return true;
	return strcmp(type, "none") == 0;
}

static bool
holds_braces(const JsonbValue *value)
{
	return strstr(wf_json_text(value), "{{") != NULL;
}

static void
check_auth(const WfNode *node, const JsonbValue *auth, WfDiagnostics *found)
{
	const int	n_before = found->n_errors;
	const char *type = wf_json_get_cstring(auth, "type");
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	if (wf_json_field(auth, "credential", &value))
	{
		if (wf_json_count(auth) > 1)
			wf_block_report(node, found, "auth", NULL, "\"auth\" with a \"credential\" takes nothing else");
		return;
	}
	if (wf_json_is_object(auth) && type == NULL && !wf_json_field(auth, "type", &value))
		wf_block_report(node, found, "auth", NULL, "\"auth\" needs \"type\" or \"credential\"");
	if (!wf_json_is_object(auth) || type == NULL || strstr(type, "{{") != NULL)
	{
		if (type != NULL)
			wf_block_report(node, found, "auth.type", NULL, "\"auth.type\" cannot hold a template");
		return;					/* the schema has reported it */
	}
	if (!is_type(type))
		return;
	wf_json_iter_begin(&it, auth);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const char *name = wf_json_cstring(&key);
		const Member *member = find_member(type, name);

		if (member != NULL)
			check_member(node, member, &value, found);
		else if (strcmp(name, "type") != 0)
			wf_block_report(node, found, psprintf("auth.%s", wf_text_clip(name)), hint_of(type),
							"auth \"%s\" takes no \"%s\"", wf_text_clip(type), wf_text_clip(name));
	}
	check_groups(node, type, auth, found);
	if (found->n_errors == n_before && !holds_braces(auth))
		check_usable(node, auth, found);
}

/* -- all of it -- */

static void
webhook_validate(const WfNode *node, WfDiagnostics *found)
{
	const char *path = wf_block_fixed_string(node, "path", NULL);
	const char *problem;
	JsonbValue	value;

	if (path != NULL && wf_hook_path_parse(path, &problem) == NULL)
		wf_block_report(node, found, "path", NULL, "\"path\" is no path: %s", problem);
	if (wf_block_fixed(node, "auth", &value))
		check_auth(node, &value, found);
}

static void *
webhook_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	JsonbValue	validation;
	JsonbValue	schema;
	WfSchemaError problem;

	if (wf_block_fixed(node, "validation", &validation) && wf_json_field(&validation, "schema", &schema) &&
		wf_schema_compile(wf_json_copy(&schema), 0, NULL, 0, &problem) == NULL)
		wf_block_report(node, found, "validation.schema", NULL, "\"schema\" is not a valid JSON Schema: %s",
						problem.message);
	return NULL;
}

static void
webhook_look(const WfNode *node, void *prepared, WfDiagnostics *found)
{
	wf_block_look_for_credential(node, WF_CREDENTIAL_IN_WEBHOOK, found);
}

static WfOutcome
webhook_execute(WfStep *step)
{
	return wf_block_done(0, wf_json_copy(&step->input));
}

const WfBlock wf_block_trigger_webhook = {
	.type = "trigger.webhook",
	.category = "trigger",
	.summary = "starts when a webhook comes in",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"path": {
				"type": "string", "x-fixed": true, "minLength": 1,
				"description": "The path without the tenant: /orders/{id}. A segment in braces is a parameter."
			},
			"method": {
				"enum": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], "default": "POST", "x-fixed": true,
				"description": "The method of the request."
			},
			"auth": {
				"type": "object", "x-secret": true,
				"properties": {
					"credential": {"type": "string", "minLength": 1, "x-fixed": true, "description": "Name of a credential, instead of all the others."},
					"type": {"enum": ["none", "basic", "header", "hmac", "jwt"], "description": "How the sender proves who it is."},
					"username": {"type": "string", "description": "basic"},
					"password": {"type": "string", "description": "basic"},
					"passwords": {"type": "array", "maxItems": 8, "description": "basic: while one takes the place of another"},
					"name": {"type": "string", "description": "header: its name"},
					"value": {"type": "string", "description": "header"},
					"values": {"type": "array", "maxItems": 8, "description": "header"},
					"scheme": {"enum": ["standard", "github", "stripe", "slack"], "description": "hmac: whose form the signature has"},
					"secret": {"type": "string", "description": "hmac"},
					"secrets": {"type": "array", "maxItems": 8, "description": "hmac"},
					"tolerance": {"type": ["string", "number"], "default": "5 minutes", "description": "hmac: how old a signature may be"},
					"algorithm": {"enum": ["HS256", "RS256", "ES256"], "description": "jwt"},
					"key": {"type": "string", "description": "jwt: a public key in PEM, or the secret of HS256"},
					"keys": {"type": "array", "maxItems": 8, "description": "jwt"},
					"jwks": {"type": ["object", "string"], "description": "jwt: a set of JSON Web Keys"},
					"audience": {"type": ["string", "array"], "description": "jwt: whom the token must be for"},
					"issuer": {"type": "string", "description": "jwt: who must have made it"}
				},
				"description": "Who may send: {type, ...} or {credential}. Without it anybody may."
			},
			"validation": {
				"type": "object", "x-fixed": true,
				"properties": {
					"schema": {"type": ["object", "boolean"], "description": "A JSON Schema that the body must match."}
				},
				"required": ["schema"],
				"additionalProperties": false,
				"description": "What is not let in, once it is known who sends it."
			},
			"respond": {
				"enum": ["immediately", "whenDone", "node"], "default": "immediately", "x-fixed": true,
				"description": "immediately: the run is in the background. whenDone: the answer is the run's output. node: it is what the block respond says."
			}
		},
		"required": ["path"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"method": {"type": "string"}, "path": {"type": "string"}, "params": {"type": "object"},
			"query": {"type": "object"}, "headers": {"type": "object"}, "body": {}, "claims": {"type": "object"}
		},
		"required": ["method", "path", "params", "query", "headers", "body"]
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_TRIGGER,
	.execute = webhook_execute,
	.validate = webhook_validate,
	.prepare = webhook_prepare,
	.look = webhook_look,
};
