"""A message signed by the reference library of Standard Webhooks.

Arguments: the address, the secret, the id and the body. Prints the status and the answer.
"""

import datetime
import sys
import urllib.error
import urllib.request

from standardwebhooks.webhooks import Webhook

address, secret, identity, body = sys.argv[1:]
now = datetime.datetime.now(tz=datetime.timezone.utc)
headers = {
    "content-type": "application/json",
    "webhook-id": identity,
    "webhook-timestamp": str(int(now.timestamp())),
    "webhook-signature": Webhook(secret).sign(identity, now, body),
}
try:
    answer = urllib.request.urlopen(urllib.request.Request(address, body.encode(), headers))
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
