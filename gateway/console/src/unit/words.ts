import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  parent_id: ['上级单位（空为顶级）', 'Unit above (empty for the top)'],
  'CreateUnitRequest.code': ['编码（小写字母、数字、短横）', 'Code (small letters, digits, dash)'],
  'CreateUnitRequest.kind': ['类型', 'What it is'],
})

export default words({
  list: ['组织机构', 'Units'],
  name: ['单位', 'Unit'],
  code: ['编码', 'Code'],
  kind: ['类型', 'What it is'],
  state: ['状态', 'State'],
  open: ['启用', 'Open'],
  shut: ['停用', 'Closed'],
  people: ['人员', 'People'],
  below: ['新建下级', 'Add below'],
  create: ['新建单位', 'New unit'],
  none: ['还没有单位', 'No units yet'],
  search: ['名称或编码', 'Name or code'],
  expand: ['展开下级', 'Show what is below'],
  collapse: ['收起下级', 'Hide what is below'],
  count: ['共 {n} 个单位', '{n} units'],
})
