import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  'SetRootTextRequest.name': ['文件名（不含 .txt）', 'Name (without .txt)'],
  'SetRootTextRequest.text': ['内容', 'What stands in it'],
  'DeleteRootTextRequest.name': ['文件名', 'Name'],
})

export default words({
  title: ['品牌', 'Face of the pages'],
  about: ['登录页、页眉、手机页和页脚显示的名称、颜色与标志；留空则用平台默认。', 'Names, colour and sign on the sign-in, the headers, the phone’s pages and their foot. Empty: the platform’s own.'],
  name: ['名称（中文）', 'Name (Chinese)'],
  name_en: ['名称（英文）', 'Name (English)'],
  short_name: ['简称（中文，手机页眉）', 'Short name (Chinese, a phone’s header)'],
  short_name_en: ['简称（英文）', 'Short name (English)'],
  accent: ['主色（#RRGGBB，须与白色对比度不低于 4.5）', 'Colour (#RRGGBB; white on it has a contrast of 4.5)'],
  contact_phone: ['服务电话', 'Phone of the office'],
  sponsor: ['主办单位', 'Who runs the pages'],
  icp_record: ['ICP 备案号', 'ICP record'],
  security_record: ['公安备案号', 'Public security record'],
  frame_ancestors: ['允许嵌入本平台页面的网址（每行一个 https 源）', 'Who may show our pages in a frame (an https origin a line)'],
  logo: ['标志', 'Sign'],
  logoHint: ['PNG 或 WebP，不超过 64 KiB、1024 像素', 'PNG or WebP, at most 64 KiB and 1,024 pixels'],
  pick: ['选择图片', 'Choose a picture'],
  remove: ['移除', 'Take away'],
  tooLarge: ['图片超过 64 KiB', 'The picture is larger than 64 KiB'],
  texts: ['根目录校验文件', 'Texts at the root'],
  textsHint: ['微信等平台验证域名时要求放在根目录的文本文件，最多 20 个。', 'What WeChat and others look for at the root of the address, 20 at most.'],
  file: ['文件', 'File'],
  content: ['内容', 'Text'],
  since: ['设置时间', 'Set'],
  set: ['添加', 'Add'],
  drop: ['删除', 'Delete'],
  dropHint: ['删除后该地址不再可用：{name}.txt', 'The address goes away: {name}.txt'],
  none: ['没有校验文件', 'No texts'],
})
