/** The words that the shop's rows are made of. */
type Words = readonly [string, ...string[]]
const words = (text: string): Words => atLeastOne(text.trim().split(/\s+/))
const lines = (text: string): Words => atLeastOne(text.trim().split(/\s*\n\s*/))

function atLeastOne([first = '', ...rest]: readonly string[]): Words {
  return [first, ...rest]
}

export const FIRST_NAMES = words(`
  Ada Aiko Alba Amara Anders Anouk Arjun Asha Bela Bianca Bruno Carmen Casper Chiara Clara Daan Dalia Darius Diego Edda
  Elif Emil Esra Farah Felix Fiona Gael Greta Hamza Hana Helge Ida Imran Ines Ivo Jana Jonas Kaori Karim Lars Leila Lena
  Linus Lucia Maja Malik Marta Mateo Mei Mila Nadia Nils Noor Olga Omar Oskar Paula Petra Quinn Rafael Rania Rosa Ruben
  Samir Sanne Selma Silas Sofia Tamar Tariq Thea Tomas Uma Vera Viktor Wanda Xenia Yara Yusuf Zoe
`)

export const LAST_NAMES = words(`
  Abara Adler Almeida Andersen Arslan Bakker Bauer Becker Bianchi Borg Castillo Chen Conti Costa Dahl Danso Demir Diaz
  Dubois Eklund Ericson Fabre Farkas Ferrari Fischer Flores Fujita Garcia Gomes Haas Hansen Hassan Hoffmann Horvat Ito
  Iversen Jansen Joshi Kaya Keller Khan Kowalski Kumar Lange Laurent Lehmann Lindgren Lopez Maier Marino Mbeki Meyer Moreau
  Mori Nakamura Navarro Nilsen Novak Okafor Olsen Ortega Osei Pereira Petit Popov Qureshi Ramos Reyes Ricci Rossi Sato
  Schmid Silva Singh Sokolov Suzuki Tanaka Thomsen Torres Vargas Virtanen Weber Winter Yilmaz Zeman Zhang
`)

export const STREETS = lines(`
  Harbour Street
  Mill Lane
  Station Road
  Garden Avenue
  Old Market
  River Walk
  Castle Hill
  Orchard Close
  Lighthouse Way
  Cedar Row
`)

/** City and country, with a tab between. */
export const PLACES = lines(`
  Berlin\tDE
  Hamburg\tDE
  Munich\tDE
  Paris\tFR
  Lyon\tFR
  Madrid\tES
  Valencia\tES
  Lisbon\tPT
  Rome\tIT
  Milan\tIT
  Vienna\tAT
  Utrecht\tNL
  Copenhagen\tDK
  Oslo\tNO
  Austin\tUS
  Denver\tUS
  Portland\tUS
  Toronto\tCA
`)

export const MAIL_HOSTS = words('example.com example.org example.net')

export const PRODUCT_KINDS = words(
  'Lamp Chair Desk Mug Kettle Rug Shelf Clock Bowl Blanket Stool Mirror Vase Basket Tray',
)
export const PRODUCT_STYLES = words(
  'Amber Birch Coral Dune Ember Fjord Granite Heron Indigo Juniper Linen Moss',
)

export const TITLES = lines(`
  Support agent
  Warehouse lead
  Buyer
  Accountant
  Data analyst
  Engineer
  Designer
  Store manager
`)

export const NOTES = lines(`
  please leave it with the neighbour
  gift wrapping
  call before delivery
  second attempt, the first parcel was damaged
  invoice to the company
`)
