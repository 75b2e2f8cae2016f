"""Plays WeChat with the library that others write their accounts with: signs, encrypts, and reads the reply.

Arguments: the address, the token, the EncodingAESKey (empty sends plain), the AppID, who writes, the message's id, and what they write
(`event:KEY` for a scanned code). Prints the status and the words of the reply.
"""

import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import xmltodict
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

address, token, aes_key, app_id, who, identity, words = sys.argv[1:]


def signed(*words):
    signer = WeChatSigner()
    signer.add_data(*words)
    return signer.signature


now, nonce = str(int(time.time())), "n0nce"
if words.startswith("event:"):
    what = f"<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[{words[6:]}]]></EventKey>"
else:
    what = f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content><MsgId>{identity}</MsgId>"
message = (
    f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{who}]]></FromUserName>"
    f"<CreateTime>{now}</CreateTime>{what}</xml>"
)
query = {"timestamp": now, "nonce": nonce, "openid": who, "signature": signed(token, now, nonce)}
crypto = WeChatCrypto(token, aes_key, app_id) if aes_key else None
if crypto:
    sealed = xmltodict.parse(crypto.encrypt_message(message, nonce, now))["xml"]
    query |= {"encrypt_type": "aes", "msg_signature": sealed["MsgSignature"]}
    message = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{sealed['Encrypt']}]]></Encrypt></xml>"
request = urllib.request.Request(f"{address}?{urllib.parse.urlencode(query)}", message.encode(), {"content-type": "text/xml"})
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    print(error.status, error.read().decode())
    sys.exit()
reply = answer.read().decode()
if crypto:
    outer = xmltodict.parse(reply)["xml"]
    reply = crypto.decrypt_message(reply, outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"])
inner = xmltodict.parse(reply)["xml"]
assert (inner["ToUserName"], inner["FromUserName"], inner["MsgType"]) == (who, "gh_1", "text"), inner
print(answer.status, inner["Content"])
