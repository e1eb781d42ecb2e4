/*
 * http_auth.c: `auth` of requests: who is asking.
 *
 * One table says which members each type has. What they hold is checked as text (no control characters in what becomes
 * a header) and goes into the request as it is; headers are made of it, and requests signed, by who sends them.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/http.h"

typedef enum MemberKind
{
	MEMBER_LINE,				/* one line, not empty */
	MEMBER_MAYBE_EMPTY,
	MEMBER_TOKEN,				/* a header's name, where it is one */
	MEMBER_PLACE,				/* header, query */
	MEMBER_GRANT,
	MEMBER_ADDRESS,
	MEMBER_PEM,
} MemberKind;

typedef struct Member
{
	const char *type;
	const char *key;
	bool		required;
	MemberKind	kind;
} Member;

static const Member members[] = {
	{"basic", "username", true, MEMBER_LINE},
	{"basic", "password", true, MEMBER_MAYBE_EMPTY},
	{"bearer", "token", true, MEMBER_LINE},
	{"apiKey", "name", true, MEMBER_TOKEN},
	{"apiKey", "value", true, MEMBER_LINE},
	{"apiKey", "in", false, MEMBER_PLACE},
	{"digest", "username", true, MEMBER_LINE},
	{"digest", "password", true, MEMBER_MAYBE_EMPTY},
	{"aws", "accessKey", true, MEMBER_LINE},
	{"aws", "secretKey", true, MEMBER_LINE},
	{"aws", "sessionToken", false, MEMBER_LINE},
	{"aws", "region", true, MEMBER_LINE},
	{"aws", "service", true, MEMBER_LINE},
	{"oauth2", "grant", true, MEMBER_GRANT},
	{"oauth2", "tokenUrl", true, MEMBER_ADDRESS},
	{"oauth2", "clientId", true, MEMBER_LINE},
	{"oauth2", "clientSecret", true, MEMBER_MAYBE_EMPTY},
	{"oauth2", "scope", false, MEMBER_MAYBE_EMPTY},
	{"oauth2", "refreshToken", false, MEMBER_LINE},
	{"mtls", "cert", true, MEMBER_PEM},
	{"mtls", "key", true, MEMBER_PEM},
};

static const Member *
find_member(const char *type, const char *key)
{
	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].type, type) == 0 && strcmp(members[i].key, key) == 0)
			return &members[i];
	}
	return NULL;
}

static bool
is_type(const char *type)
{
	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].type, type) == 0)
			return true;
	}
	return false;
}

/* `It takes "username", "password".` */
static const char *
hint_of(const char *type)
{
	const char *hint = "It takes";
	const char *separator = " ";

	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].type, type) != 0)
			continue;
		hint = psprintf("%s%s\"%s\"", hint, separator, members[i].key);
		separator = ", ";
	}
	return psprintf("%s.", hint);
}

/* PEM may come from a secret, which only who resolves it can look at. */
static char *
read_pem(WfReading *r, const JsonbValue *value, const char *where)
{
	char	   *text = wf_json_cstring(value);

	if (text == NULL)
		wf_block_request_wrong_type(r, where, "a string", value);
	else if (!wf_block_has_marker(text, r->nonce) && strstr(text, "-----BEGIN ") == NULL)
		wf_block_request_wrong(r, where, "It begins with -----BEGIN.", "\"%s\" is no PEM text", where);
	else
		return text;
	return NULL;
}

static char *
read_address(WfReading *r, const JsonbValue *value, const char *where)
{
	char	   *text = wf_json_cstring(value);
	const char *hint;
	const char *problem;

	if (text == NULL)
	{
		wf_block_request_wrong_type(r, where, "a string", value);
		return NULL;
	}
	problem = wf_block_address_problem(text, r->nonce, &hint);
	if (problem == NULL)
		return wf_block_address_encode(text, r->nonce);
	wf_block_request_wrong(r, where, hint, "\"%s\" %s", where, problem);
	return NULL;
}

/* One of two words; of a definition, the schema says so. */
static char *
read_word(WfReading *r, const JsonbValue *value, const char *where, const char *one, const char *other)
{
	char	   *text = wf_json_cstring(value);

	if (text != NULL && (strcmp(text, one) == 0 || strcmp(text, other) == 0))
		return text;
	wf_block_request_wrong_type(r, where, psprintf("\"%s\" or \"%s\"", one, other), value);
	return NULL;
}

static void
read_member(WfReading *r, const JsonbValue *auth, const Member *member)
{
	const char *where = psprintf("auth.%s", member->key);
	char	   *text = NULL;
	JsonbValue	value;

	if (!wf_block_request_member(r, auth, member->key, &value))
	{
		if (member->required && (!wf_json_field(auth, member->key, &value) || value.type == jbvNull))
			wf_block_request_wrong(r, "auth", hint_of(member->type), "\"auth\" of type \"%s\" needs \"%s\"", member->type,
								   member->key);
		return;
	}
	switch (member->kind)
	{
		case MEMBER_LINE:
		case MEMBER_MAYBE_EMPTY:
		case MEMBER_TOKEN:
			text = wf_block_request_line(r, &value, where, member->kind != MEMBER_MAYBE_EMPTY);
			break;
		case MEMBER_PLACE:
			text = read_word(r, &value, where, "header", "query");
			break;
		case MEMBER_GRANT:
			text = read_word(r, &value, where, "clientCredentials", "refreshToken");
			break;
		case MEMBER_ADDRESS:
			text = read_address(r, &value, where);
			break;
		case MEMBER_PEM:
			text = read_pem(r, &value, where);
			break;
	}
	wf_block_request_put(r, member->key, text);
}

/* What is wrong with the members together. */
static void
check_together(WfReading *r, const JsonbValue *auth, const char *type)
{
	char	   *text;
	JsonbValue	value;

	if (strcmp(type, "basic") == 0 && wf_block_request_member(r, auth, "username", &value) && wf_json_is_string(&value) &&
		!wf_block_has_marker(wf_json_cstring(&value), r->nonce) && strchr(wf_json_cstring(&value), ':') != NULL)
		wf_block_request_wrong(r, "auth.username", NULL, "\"auth.username\" of type \"basic\" cannot hold a colon");
	if (strcmp(type, "apiKey") == 0 && wf_block_request_member(r, auth, "name", &value))
	{
		text = wf_json_get_cstring(auth, "in");
		if ((text == NULL || strcmp(text, "header") == 0) && wf_json_is_string(&value) && value.val.string.len > 0 &&
			!wf_block_has_marker(wf_json_cstring(&value), r->nonce) && !wf_block_request_is_token(wf_json_cstring(&value)))
			wf_block_request_wrong(r, "auth.name", NULL, "\"auth.name\" is no name of a header: %s",
								   wf_text_clip(wf_json_text(&value)));
	}
	text = strcmp(type, "oauth2") == 0 ? wf_json_get_cstring(auth, "grant") : NULL;
	if (text != NULL && strcmp(text, "refreshToken") == 0 &&
		(!wf_json_field(auth, "refreshToken", &value) || value.type == jbvNull))
		wf_block_request_wrong(r, "auth", NULL, "\"auth\" of type \"oauth2\" needs \"refreshToken\" for this grant");
}

static void
read_typed(WfReading *r, const JsonbValue *auth, const char *type)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	wf_json_iter_begin(&it, auth);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);

		if (strcmp(name, "type") != 0 && value.type != jbvNull && find_member(type, name) == NULL)
			wf_block_request_wrong(r, psprintf("auth.%s", name), hint_of(type), "\"auth\" of type \"%s\" takes no \"%s\"",
								   type, wf_text_clip(name));
	}
	wf_block_request_put(r, "type", type);
	for (int i = 0; i < lengthof(members); i++)
	{
		if (strcmp(members[i].type, type) == 0)
			read_member(r, auth, &members[i]);
	}
	check_together(r, auth, type);
}

/* A credential, by its name; what it is good for may need to be said beside it. */
static void
read_credential(WfReading *r, const JsonbValue *auth)
{
	JsonbValue	value;
	bool		has_service = wf_json_field(auth, "service", &value);
	const char *name;

	if (wf_json_count(auth) > (has_service ? 2 : 1))
		wf_block_request_wrong(r, "auth", NULL, "\"auth\" with a \"credential\" takes nothing else but \"service\"");
	name = wf_block_credential_of(r->node);
	if (r->step != NULL && name == NULL)
		wf_block_request_wrong(r, "auth.credential", "Data must not choose who a request comes from.",
							   "name of a credential must be in the definition");
	if (r->step != NULL && r->step->ops != NULL)
		r->step->ops->use_credential(r->step, name, WF_CREDENTIAL_IN_REQUEST);
	wf_block_request_put(r, "credential", name);
	if (has_service && value.type != jbvNull)
		wf_block_request_put(r, "service", wf_block_request_line(r, &value, "auth.service", r->step != NULL));
}

void
wf_block_request_auth(WfReading *r)
{
	JsonbValue	auth;
	JsonbValue	value;
	char	   *type;

	if (!wf_block_request_field(r, "auth", &auth))
		return;
	if (!wf_json_is_object(&auth))
	{
		wf_block_request_wrong_type(r, "auth", "an object", &auth);
		return;
	}
	if (r->w != NULL)
	{
		wf_json_key(r->w, "auth", 4);
		wf_json_begin_object(r->w);
	}
	if (wf_json_field(&auth, "credential", &value))
		read_credential(r, &auth);
	else if (!wf_json_field(&auth, "type", &value))
		wf_block_request_wrong(r, "auth", NULL, "\"auth\" needs \"type\" or \"credential\"");
	else if (!wf_block_request_is_open(r, &value))
	{
		type = wf_json_cstring(&value);
		if (type != NULL && is_type(type))
			read_typed(r, &auth, type);
		else if (r->step != NULL)
			wf_block_request_wrong(r, "auth.type", NULL, "\"auth.type\" cannot be %s", wf_text_clip(wf_json_text(&value)));
	}
	if (r->w != NULL)
		wf_json_end_object(r->w);
}
