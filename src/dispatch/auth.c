/*
 * auth.c: `auth` of a request: credentials for net/, a header, a parameter, a certificate.
 *
 * Every member is looked at after its secrets have been put in: a line feed in a token would begin another header. What
 * says who is asking goes into the partition's digest, so that nobody else is given a connection that was opened for it.
 */
#include "postgres.h"

#include "dispatch/making.h"

#define AUTH(key, required, text) wf_making_member(m, auth, "auth", (key), (required), (text))

typedef bool (*Maker) (WfMaking *m, const JsonbValue *auth);

static bool
is_token(const char *text)
{
	return text[0] != '\0' &&
		text[strspn(text, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] == '\0';
}

/* -- by type -- */

static bool
login(WfMaking *m, const JsonbValue *auth, WfNetAuthType type)
{
	WfText		user = {0};
	WfText		password = {0};

	if (!AUTH("username", true, &user) || !AUTH("password", true, &password))
		return false;
	if (type == WF_NET_AUTH_BASIC && strchr(user.data, ':') != NULL)
		return wf_making_wrong(m, "\"auth.username\" of type \"basic\" cannot hold a colon");
	m->out->auth.type = type;
	m->out->auth.user = user.data;
	m->out->auth.password = password.data;
	m->auth_header = "Authorization";
	return true;
}

static bool
make_basic(WfMaking *m, const JsonbValue *auth)
{
	return login(m, auth, WF_NET_AUTH_BASIC);
}

static bool
make_digest(WfMaking *m, const JsonbValue *auth)
{
	return login(m, auth, WF_NET_AUTH_DIGEST);
}

static bool
use_token(WfMaking *m, const char *token)
{
	m->out->auth.type = WF_NET_AUTH_BEARER;
	m->out->auth.token = token;
	m->auth_header = "Authorization";
	return true;
}

static bool
make_bearer(WfMaking *m, const JsonbValue *auth)
{
	WfText		token = {0};

	if (!AUTH("token", true, &token))
		return false;
	if (token.bytes == 0)
		return wf_making_wrong(m, "\"auth.token\" is empty");
	return use_token(m, token.data);
}

/* The token was asked for before (token.c). */
static bool
make_oauth2(WfMaking *m, const JsonbValue *auth)
{
	char	   *token;
	size_t		bytes;

	if (m->in->access_token == NULL)
		return wf_making_fail(m, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "there is no access token");
	bytes = strlen(m->in->access_token);
	if (bytes == 0 || wf_making_has_control(m->in->access_token, bytes))
		return wf_making_wrong(m, "the access token is empty, or holds a control character");
	token = wf_buffer_make(bytes)->data;
	memcpy(token, m->in->access_token, bytes + 1);
	return use_token(m, token);
}

static bool
make_jwt(WfMaking *m, const JsonbValue *auth)
{
	const char *token;

	return wf_compose_jwt(m, auth, &token) && use_token(m, token);
}

static bool
make_api_key(WfMaking *m, const JsonbValue *auth)
{
	WfBuffer   *parameter;
	WfText		in = {0};
	WfText		name = {0};
	WfText		value = {0};

	if (!AUTH("in", false, &in) || !AUTH("name", true, &name) || !AUTH("value", true, &value))
		return false;
	if (in.data != NULL && strcmp(in.data, "query") == 0)
	{
		parameter = wf_buffer_make(3 * (name.bytes + value.bytes) + 1);
		wf_buffer_put_encoded(parameter, name.data, name.bytes);
		wf_buffer_put(parameter, "=", 1);
		wf_buffer_put_encoded(parameter, value.data, value.bytes);
		m->parameter = parameter->data;
		return true;
	}
	if (!is_token(name.data))
		return wf_making_wrong(m, "\"auth.name\" is no name of a header");
	wf_making_add_header(m, name.data, value.data, true);
	m->auth_header = name.data;
	return true;
}

static bool
make_aws(WfMaking *m, const JsonbValue *auth)
{
	WfText		key = {0};
	WfText		secret = {0};
	WfText		session = {0};
	WfText		region = {0};
	WfText		service = {0};

	if (!AUTH("accessKey", true, &key) || !AUTH("secretKey", true, &secret) || !AUTH("sessionToken", false, &session) ||
		!AUTH("region", true, &region) || !AUTH("service", true, &service))
		return false;
	if (!is_token(key.data))
		return wf_making_wrong(m, "\"auth.accessKey\" holds what no access key has");
	if (!is_token(region.data) || !is_token(service.data))
		return wf_making_wrong(m, "\"auth.%s\" holds what no name has", is_token(region.data) ? "service" : "region");
	m->out->auth.type = WF_NET_AUTH_AWS;
	m->out->auth.user = key.data;
	m->out->auth.password = secret.data;
	m->out->auth.token = session.data;
	m->out->auth.region = region.data;
	m->out->auth.service = service.data;
	m->auth_header = "Authorization";
	return true;
}

static bool
read_pem(WfMaking *m, const JsonbValue *auth, const char *key, WfText *out)
{
	const char *where = psprintf("auth.%s", key);
	JsonbValue	value;

	if (!wf_json_field(auth, key, &value))
		return wf_making_wrong(m, "\"%s\" is missing", where);
	if (!wf_making_text(m, where, &value, out))
		return false;
	if (strstr(out->data, "-----BEGIN ") == NULL)
		return wf_making_wrong(m, "\"%s\" is no PEM text", where);
	return true;
}

static bool
make_mtls(WfMaking *m, const JsonbValue *auth)
{
	WfText		cert = {0};
	WfText		key = {0};

	if (!read_pem(m, auth, "cert", &cert) || !read_pem(m, auth, "key", &key))
		return false;
	m->out->client_cert_pem = cert.data;
	m->out->client_key_pem = key.data;
	wf_making_add_credential(m, cert.data);
	wf_making_add_credential(m, key.data);
	return true;
}

/* -- all of them -- */

static const struct
{
	const char *type;
	Maker		make;
} makers[] = {
	{"apiKey", make_api_key},
	{"aws", make_aws},
	{"basic", make_basic},
	{"bearer", make_bearer},
	{"digest", make_digest},
	{"jwt", make_jwt},
	{"mtls", make_mtls},
	{"oauth2", make_oauth2},
};

/* What net/ is given to say who is asking, for the partition. */
static void
add_credentials(WfMaking *m, const char *type)
{
	const WfNetAuth *a = &m->out->auth;
	const char *texts[] = {
		type, a->user, a->password, strcmp(type, "jwt") == 0 ? NULL : a->token, a->region, a->service, m->parameter,
		m->out->n_headers > 0 ? m->headers[0].name : NULL, m->out->n_headers > 0 ? m->headers[0].value : NULL,
	};

	for (int i = 0; i < lengthof(texts); i++)
		wf_making_add_credential(m, texts[i] == NULL ? "" : texts[i]);
}

bool
wf_compose_auth(WfMaking *m)
{
	JsonbValue	auth;
	char	   *type;

	Assert(m->out->n_headers == 0);
	if (!wf_json_field(m->request, "auth", &auth))
		return true;
	type = wf_json_get_cstring(&auth, "type");
	if (type == NULL && wf_json_get_cstring(&auth, "credential") != NULL)
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "the credential was not opened");
	for (int i = 0; i < lengthof(makers); i++)
	{
		if (type == NULL || strcmp(makers[i].type, type) != 0)
			continue;
		if (!makers[i].make(m, &auth))
			return false;
		add_credentials(m, type);
		return true;
	}
	return wf_making_wrong(m, "\"auth.type\" is none that is known");
}
