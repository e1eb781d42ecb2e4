#include "postgres.h"
#include "dispatch/making.h"
bool
wf_compose_mail(WfMaking *m)
{
	return wf_making_fail(m, ERRCODE_FEATURE_NOT_SUPPORTED, "mail is not supported yet");
}
