/*
 * token.c: access tokens of OAuth2, asked for with client credentials or a refresh token, and kept in this process.
 *
 * 1. A token is known by a key: a digest of tenant, address, client, scope, grant and secret. Of a refresh token that is a secret
 *    only the secret's name counts, because servers replace refresh tokens by new ones when they are used: the access token
 *    stays good. Whoever changes secrets calls wf_token_forget_all; what is asked for at that time is for those alone whose secrets are
 *    as old (secrets_age).
 * 2. The client says who it is in the header Authorization (Basic), as RFC 6749 wants it. A server that refuses this is asked
 *    again with both in the body, and the key remembers which of the two it was.
 * 3. A token is used until a while before it expires. It is gone earlier when a request is answered with 401.
 * 4. There are at most MOST_TOKENS; the one that was not used for the longest time makes room. Everything here is in memory of
 *    this process; tokens are wiped when they go.
 */
#include "postgres.h"

#include "dispatch/answer.h"
#include "dispatch/making.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MOST_TOKENS 1000
#define KEY_CHARS 64
#define TOKEN_BYTES 65536		/* the longest */
#define ANSWER_BYTES (1024 * 1024)
#define DEFAULT_LIFE_MS (10 * 60 * 1000)	/* when the server does not say */
#define LEAST_LIFE_MS 10000		/* who waits for a token gets to use it */
#define MOST_LIFE_MS (INT64CONST(30) * 24 * 3600 * 1000)
#define MARGIN_MS (60 * 1000)	/* at most a quarter of its life */
#define YOUNG_MS (10 * 1000)	/* one that is refused so soon is not worth another */

typedef struct Token
{
	char		key[KEY_CHARS + 1];	/* first: the hash's key */
	dlist_node	node;			/* in `used`, the last used first */
	char	   *text;			/* NULL: none, only how to ask */
	uint64		age;			/* of the secrets that it was asked for with */
	int64		made_ms;
	int64		until_ms;		/* it is not used any more */
	bool		in_body;		/* how the client says who it is */
	bool		hides_host;		/* the server's name is a secret, or part of one */
} Token;

static HTAB *tokens = NULL;
static dlist_head used = DLIST_STATIC_INIT(used);
static MemoryContext token_memory = NULL;

/* -- the table -- */

static void
clear(Token *token)
{
	if (token->text == NULL)
		return;
	explicit_bzero(token->text, strlen(token->text));
	pfree(token->text);
	token->text = NULL;
}

static void
drop(Token *token)
{
	clear(token);
	dlist_delete(&token->node);
	hash_search(tokens, token->key, HASH_REMOVE, NULL);
}

static Token *
find(const char *key)
{
	char		fixed[KEY_CHARS + 1];

	strlcpy(fixed, key, sizeof(fixed));
	return tokens == NULL ? NULL : hash_search(tokens, fixed, HASH_FIND, NULL);
}

/* The entry of a key, which is made when there is none. */
static Token *
enter(const char *key)
{
	HASHCTL		control = {.keysize = KEY_CHARS + 1,.entrysize = sizeof(Token)};
	char		fixed[KEY_CHARS + 1];
	Token	   *token = find(key);

	if (token != NULL)
		return token;
	if (tokens == NULL)
	{
		token_memory = AllocSetContextCreate(TopMemoryContext, "access tokens", ALLOCSET_SMALL_SIZES);
		control.hcxt = token_memory;
		tokens = hash_create("access tokens", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	if (hash_get_num_entries(tokens) >= MOST_TOKENS)
		drop(dlist_container(Token, node, dlist_tail_node(&used)));
	strlcpy(fixed, key, sizeof(fixed));
	token = hash_search(tokens, fixed, HASH_ENTER, NULL);
	token->text = NULL;
	token->age = 0;
	token->made_ms = token->until_ms = 0;
	token->in_body = token->hides_host = false;
	dlist_push_head(&used, &token->node);
	return token;
}

/* -- what a request says of it -- */

typedef struct Grant
{
	WfText		address;
	WfText		client;
	WfText		secret;
	WfText		scope;
	WfText		refresh;		/* .data NULL: the grant is client_credentials */
	bool		hides_host;
	const char *key;
} Grant;

/* A text in which secrets are only named; the nonce of its markers, which is another each time, is gone. */
static const char *
named(WfMaking *m, const JsonbValue *auth, const char *key)
{
	char	   *text = wf_json_get_cstring(auth, key);
	WfSecretValue *names = palloc0(sizeof(WfSecretValue) * (m->n_values + 1));
	int			bytes;

	if (text == NULL || m->nonce == NULL)
		return text == NULL ? "" : text;
	for (int i = 0; i < m->n_values; i++)
	{
		names[i].name = m->values[i].name;
		names[i].value = psprintf("\001%s\001", m->values[i].name);
		names[i].len = strlen(names[i].value);
	}
	return wf_marker_fill(text, strlen(text), m->nonce, names, m->n_values, WF_MARKER_PLAIN, &bytes);
}

static bool
make_key(WfMaking *m, const JsonbValue *auth, Grant *g)
{
	const char *texts[] = {
		"oauth2", wf_making_uuid(&m->in->tenant_id), g->address.data, g->client.data, g->secret.data,
		g->scope.data == NULL ? "" : g->scope.data, g->refresh.data == NULL ? "" : "refresh",
		named(m, auth, "refreshToken"),
	};

	for (int i = 0; i < lengthof(texts); i++)
		wf_making_add_credential(m, texts[i]);
	g->key = wf_making_sha256(m->credential->data, m->credential->bytes);
	if (g->key == NULL || m->credential->overflown)
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "could not compute a digest");
	return true;
}

/* False with no problem when the auth is none of oauth2. */
static bool
read_grant(WfMaking *m, Grant *g)
{
	JsonbValue	auth;
	JsonbValue	url;
	WfText		grant = {0};
	char	   *type;

	memset(g, 0, sizeof(*g));
	if (!wf_json_field(m->request, "auth", &auth))
		return false;
	type = wf_json_get_cstring(&auth, "type");
	if (type == NULL || strcmp(type, "oauth2") != 0)
		return false;
	if (!wf_json_field(&auth, "tokenUrl", &url))
		return wf_making_wrong(m, "\"auth.tokenUrl\" is missing");
	g->hides_host = wf_json_is_string(&url) && wf_compose_hides_host(wf_json_cstring(&url), m->nonce);
	if (!wf_compose_url(m, "auth.tokenUrl", &url, &g->address) ||
		!wf_making_member(m, &auth, "auth", "grant", true, &grant) ||
		!wf_making_member(m, &auth, "auth", "clientId", true, &g->client) ||
		!wf_making_member(m, &auth, "auth", "clientSecret", true, &g->secret) ||
		!wf_making_member(m, &auth, "auth", "scope", false, &g->scope))
		return false;
	if (strcmp(grant.data, "refreshToken") == 0 &&
		!wf_making_member(m, &auth, "auth", "refreshToken", true, &g->refresh))
		return false;
	return make_key(m, &auth, g);
}

/*
 * Reads the grant in a context of its own, which is *memory, for the caller to delete; *problem is in the caller's. False:
 * there is none, with *problem set when it is malformed.
 */
static bool
begin(const WfCompose *in, WfNetRequest *out, WfMaking *m, Grant *g, MemoryContext *memory, WfError **problem)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		is_read;

	*memory = AllocSetContextCreate(caller, "request for a token", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(*memory);
	is_read = wf_making_begin(m, in, out) && read_grant(m, g);
	MemoryContextSwitchTo(caller);
	*problem = is_read || m->problem == NULL ? NULL : wf_error_copy(m->problem, caller);
	return is_read;
}

const char *
wf_token_find(const WfCompose *in, char **key, WfError **problem)
{
	MemoryContext memory;
	WfNetRequest unused;
	WfMaking	m;
	Grant		g;
	Token	   *token;
	char	   *text = NULL;

	*key = NULL;
	if (begin(in, &unused, &m, &g, &memory, problem))
	{
		*key = pstrdup(g.key);
		token = find(*key);
		if (token != NULL && token->text != NULL && token->age >= in->secrets_age && token->until_ms > in->now_unix_ms)
		{
			dlist_delete(&token->node);
			dlist_push_head(&used, &token->node);
			text = wf_buffer_make(strlen(token->text))->data;
			memcpy(text, token->text, strlen(token->text) + 1);
		}
	}
	MemoryContextDelete(memory);
	return text;
}

/* -- asking -- */

static void
put_parameter(WfBuffer *form, const char *name, const WfText *value)
{
	if (form->bytes > 0)
		wf_buffer_put(form, "&", 1);
	wf_buffer_put_text(form, name);
	wf_buffer_put(form, "=", 1);
	wf_buffer_put_encoded(form, value->data, value->bytes);
}

/* Encoded, as a client's name and secret are within Basic: RFC 6749, 2.3.1. */
static const char *
encoded(const WfText *text)
{
	WfBuffer   *buffer = wf_buffer_make(3 * text->bytes);

	wf_buffer_put_encoded(buffer, text->data, text->bytes);
	return buffer->data;
}

static bool
compose_grant(WfMaking *m, const Grant *g)
{
	static const WfText client_credentials = {"client_credentials", 18, false};
	static const WfText refresh_token = {"refresh_token", 13, false};
	Token	   *token = enter(g->key);
	WfBuffer   *form = wf_buffer_make(1024);

	token->hides_host = g->hides_host;
	put_parameter(form, "grant_type", g->refresh.data == NULL ? &client_credentials : &refresh_token);
	if (g->refresh.data != NULL)
		put_parameter(form, "refresh_token", &g->refresh);
	if (g->scope.data != NULL && g->scope.bytes > 0)
		put_parameter(form, "scope", &g->scope);
	if (g->secret.bytes == 0 || token->in_body)
	{
		put_parameter(form, "client_id", &g->client);
		if (g->secret.bytes > 0)
			put_parameter(form, "client_secret", &g->secret);
	}
	else
	{
		m->out->auth.type = WF_NET_AUTH_BASIC;
		m->out->auth.user = encoded(&g->client);
		m->out->auth.password = encoded(&g->secret);
	}
	m->out->kind = WF_NET_HTTP;
	m->out->method = "POST";
	m->out->url = g->address.data;
	m->out->body = form->data;
	m->out->body_bytes = form->bytes;
	m->out->body_is_secret = true;
	wf_making_add_header(m, "Content-Type", "application/x-www-form-urlencoded", false);
	wf_making_add_header(m, "Accept", "application/json", false);
	wf_making_limits(m);
	m->out->max_redirects = 0;
	m->out->max_response_bytes = Min(m->out->max_response_bytes, ANSWER_BYTES);
	return wf_making_partition(m);
}

WfError *
wf_token_compose(const WfCompose *in, WfNetRequest *out)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory;
	WfMaking	m;
	Grant		g;
	WfError    *problem;
	bool		is_made = begin(in, out, &m, &g, &memory, &problem);

	if (!is_made && problem == NULL)
		problem = wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"auth\" is none of type \"oauth2\"");
	if (is_made)
	{
		MemoryContextSwitchTo(memory);
		is_made = compose_grant(&m, &g);
		MemoryContextSwitchTo(caller);
		if (is_made)
			return NULL;
		problem = wf_error_copy(m.problem, caller);
	}
	memset(out, 0, sizeof(*out));
	MemoryContextDelete(memory);
	return problem;
}

/* -- answers -- */

/* A short text of ours for what the server calls its error, fit for a message. */
static char *
error_text(const JsonbValue *answer)
{
	char	   *text = wf_json_get_cstring(answer, "error");

	if (text == NULL || text[0] == '\0' || strlen(text) > 100)
		return NULL;
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			return NULL;
	return text;
}

static WfError *
refused(const char *key, const WfNetResult *r, const char *why)
{
	const Token *token = find(key);
	bool		hides_host = token != NULL && token->hides_host;
	char	   *host = hides_host ? NULL : wf_answer_host(r->url);

	if (hides_host && r->outcome != WF_NET_ANSWERED)
		why = psprintf("it could not be asked (%s)", wf_net_outcome_name(r->outcome));
	return wf_error_make(WF_ERRCODE_REQUEST_FAILED, NULL, "request failed: no access token from %s: %s",
						 host == NULL ? "its server" : host, why);
}

/* Seconds, as a number or as the text that some servers make of it. */
static int64
life_ms(const JsonbValue *answer)
{
	JsonbValue	value;
	char	   *text;
	double		seconds;

	if (!wf_json_field(answer, "expires_in", &value))
		return DEFAULT_LIFE_MS;
	text = wf_json_cstring(&value);
	if (text != NULL)
		seconds = strtod(text, NULL);
	else if (!wf_json_double(&value, &seconds))
		return DEFAULT_LIFE_MS;
	return seconds > 0 && seconds < MOST_LIFE_MS / 1000 ? Max((int64) (seconds * 1000), LEAST_LIFE_MS) : seconds > 0 ? MOST_LIFE_MS : DEFAULT_LIFE_MS;
}

/* Text of a token, in memory that is wiped; NULL when it is none. */
static char *
token_text(const JsonbValue *answer, const char *key)
{
	char	   *text = wf_json_get_cstring(answer, key);
	char	   *copy;

	if (text == NULL || text[0] == '\0' || strlen(text) > TOKEN_BYTES)
		return NULL;
	for (char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return NULL;
	copy = wf_buffer_make(strlen(text))->data;
	memcpy(copy, text, strlen(text) + 1);
	explicit_bzero(text, strlen(copy));
	pfree(text);
	return copy;
}

static void
keep(const char *key, uint64 age, const char *text, int64 life, int64 now_unix_ms)
{
	Token	   *token = enter(key);

	if (token->text != NULL && token->age > age)
		return;
	clear(token);
	token->age = age;
	token->text = MemoryContextStrdup(token_memory, text);
	token->made_ms = now_unix_ms;
	token->until_ms = now_unix_ms + life - Min(MARGIN_MS, life / 4);
}

/* NULL: the answer's token is kept. */
static WfError *
take(const char *key, uint64 age, const WfNetResult *r, const JsonbValue *answer, int64 now_unix_ms, char **refresh)
{
	char	   *text = token_text(answer, "access_token");
	char	   *type = wf_json_get_cstring(answer, "token_type");

	if (text == NULL)
		return refused(key, r, "its answer has none");
	if (type != NULL && pg_strcasecmp(type, "bearer") != 0)
		return refused(key, r, "it is of another type than bearer");
	keep(key, age, text, life_ms(answer), now_unix_ms);
	*refresh = token_text(answer, "refresh_token");
	return NULL;
}

/* Did the server not want to know the client as it was told? Then it is told in the other way, once. */
static bool
turns_way(const char *key, const WfNetResult *r, const char *error)
{
	Token	   *token;

	if (r->status != 401 && !(r->status == 400 && error != NULL && strcmp(error, "invalid_client") == 0))
		return false;
	token = enter(key);
	token->in_body = !token->in_body;
	return token->in_body;
}

WfError *
wf_token_take(const char *key, uint64 age, const WfNetResult *result, int64 now_unix_ms, bool *is_retryable, char **refresh)
{
	JsonbValue	answer;
	Jsonb	   *parsed;
	WfError    *problem;
	char	   *error = NULL;
	int			sqlstate;

	*refresh = NULL;
	*is_retryable = wf_answer_is_retryable(result);
	if (result->outcome == WF_NET_BLOCKED)
	{
		const Token *token = find(key);

		return wf_error_make(WF_ERRCODE_REQUEST_BLOCKED, NULL, "request blocked: %s", token != NULL && token->hides_host ?
							 "requests to the token's server are forbidden" : wf_answer_header_text(result->message));
	}
	if (result->outcome != WF_NET_ANSWERED)
		return refused(key, result, wf_answer_header_text(result->message));
	wf_json_set_null(&answer);
	parsed = wf_answer_parse(result->body, result->body_bytes, &sqlstate);
	explicit_bzero(result->body, result->body_bytes);
	if (parsed != NULL)
	{
		wf_json_root(parsed, &answer);
		error = error_text(&answer);
	}
	if (result->status >= 200 && result->status < 300 && error == NULL)
		problem = take(key, age, result, &answer, now_unix_ms, refresh);
	else
	{
		*is_retryable |= turns_way(key, result, error);
		problem = refused(key, result, psprintf("status %d%s%s", result->status, error == NULL ? "" : ", ", error == NULL ? "" : error));
	}
	if (parsed != NULL)
		explicit_bzero(VARDATA(parsed), VARSIZE(parsed) - VARHDRSZ);
	return problem;
}

/* -- forgetting -- */

bool
wf_token_forget(const char *key, int64 now_unix_ms)
{
	Token	   *token = find(key);
	bool		is_old;

	if (token == NULL || token->text == NULL)
		return false;
	is_old = now_unix_ms - token->made_ms >= YOUNG_MS;
	clear(token);
	return is_old;
}

void
wf_token_forget_all(void)
{
	while (!dlist_is_empty(&used))
		drop(dlist_container(Token, node, dlist_head_node(&used)));
}
